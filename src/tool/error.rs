//! What makes a tool or its adapter unusable.

#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error("{file}: {message}")]
    Adapter { file: String, message: String },
    #[error("no tool is called {0}; `leakbench list tools` shows them, or name a FILE.toml")]
    Unknown(String),
    #[error("{tool}: {message}")]
    Unusable { tool: String, message: String },
}

impl ToolError {
    pub(super) fn adapter(file: &str, message: impl Into<String>) -> Self {
        Self::Adapter {
            file: file.to_owned(),
            message: message.into(),
        }
    }
}
