//! Who looks on: progress, warnings, and the wish to stop. The lab itself never writes to a terminal.

pub trait Watch: Sync {
    /// A stage of `total` steps begins; the one before has ended.
    fn begin(&self, stage: &str, total: u64);
    fn advance(&self, steps: u64);
    fn warn(&self, text: &str);
    /// Asked by every loop. Once true it stays so.
    fn interrupted(&self) -> bool;
}
