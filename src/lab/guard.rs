//! Panics of code that looks at foreign text become data: the run goes on, and says where it happened.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

static HOOK: Once = Once::new();

/// What `act` returns, or what it panicked with and where.
pub(super) fn caught<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(hush_guarded_threads);
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    GUARDED.set(before);
    result.map_err(|_| MESSAGE.take())
}

/// The default hook would write to the terminal, in the middle of whatever stands there.
fn hush_guarded_threads() {
    let usual = take_hook();
    set_hook(Box::new(move |panic| {
        if !GUARDED.get() {
            return usual(panic);
        }
        let what = message(panic.payload());
        let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line()));
        MESSAGE.set(format!("{what}{}", place.unwrap_or_default()));
    }));
}

fn message(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_becomes_its_message() {
        let message = super::caught(|| panic!("no such {}", "thing")).unwrap_err();
        assert!(message.starts_with("no such thing at "), "{message}");
        assert_eq!(super::caught(|| 1), Ok(1));
    }
}
