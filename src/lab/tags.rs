//! `corpus.toml`: what a corpus says of itself and of each of its modules.

use std::collections::BTreeMap;

use serde::Deserialize;

pub const TAGS_FILE: &str = "corpus.toml";

/// `mix`: acquisitions as real code has them. `dense`: shapes that rare mutators need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    #[default]
    Mix,
    Dense,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mix => "mix",
            Self::Dense => "dense",
        }
    }
}

/// What is known of one module beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    pub kind: Kind,
    /// Written by somebody who had seen neither mutators nor detectors.
    pub blind: bool,
}

#[derive(Clone, Debug, Default)]
pub struct CorpusFile {
    pub name: String,
    pub clean: bool,
    pub modules: BTreeMap<String, Tags>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    clean: bool,
    #[serde(default, rename = "module")]
    modules: Vec<ModuleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModuleEntry {
    path: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    blind: bool,
}

pub fn parse(text: &str) -> Result<CorpusFile, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let mut modules = BTreeMap::new();
    for ModuleEntry { path, kind, blind } in file.modules {
        if modules.insert(path.clone(), Tags { kind, blind }).is_some() {
            return Err(format!("lists {path} twice; keep one entry"));
        }
    }
    Ok(CorpusFile {
        name: file.name,
        clean: file.clean,
        modules,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_of_the_natural_mix_unless_said_otherwise() {
        let file = parse("name = 'a'\nclean = true\n[[module]]\npath = 'x.py'\nblind = true\n").unwrap();
        assert_eq!(file.modules["x.py"].kind, Kind::Mix);
        assert!(file.modules["x.py"].blind && file.clean);
    }

    #[test]
    fn an_unknown_key_or_a_module_listed_twice_is_refused() {
        assert!(parse("name = 'a'\nklean = true\n").unwrap_err().contains("klean"));
        let twice = "name = 'a'\n[[module]]\npath = 'x.py'\n[[module]]\npath = 'x.py'\n";
        assert!(parse(twice).unwrap_err().contains("twice"));
    }
}
