//! What an acquiring call is made from: a path, a descriptor that it takes over, or a stream that stays
//! somebody else's.
//!
//! ```py
//! os.fdopen(fd)                        # owns the descriptor
//! open(fd, closefd=False)              # owns nothing
//! gzip.GzipFile(fileobj=raw)           # reads from `raw` and owns nothing
//! gzip.GzipFile(name, "wb", 9, raw)    # does not own `raw`, but its trailer is written by `close`
//! ```

use std::borrow::Cow;

use super::World;
use crate::detect::resources::{OverStream, Parameter};
use crate::python::ast::{Constant, Expr, ExprCall};

/// Names that streams have, and those of streams in memory.
const STREAMS: [&str; 9] = [
    "f", "fp", "fobj", "fileobj", "stream", "buf", "buffer", "bio", "bytes_io",
];
const IN_MEMORY: [&str; 4] = ["buf", "buffer", "bio", "bytes_io"];
/// `open` and its like take a descriptor for a path, and never another stream.
const OPENERS: [&str; 5] = [
    "builtins.open",
    "io.open",
    "pathlib.Path.open",
    "os.fdopen",
    "io.FileIO",
];

/// Whether the descriptor that the call is handed stays the caller's: `open(fd, "w", closefd=False)`.
pub(super) fn leaves_descriptor(call: &ExprCall, callable: &str) -> bool {
    let at = match callable {
        "builtins.open" | "io.open" | "os.fdopen" => 6,
        "io.FileIO" => 2,
        _ => return false,
    };
    let is_false = |expr: &Expr| {
        expr.as_constant_expr()
            .is_some_and(|constant| constant.value == Constant::Bool(false))
    };
    argument(call, &Parameter(Cow::Borrowed("closefd"), at)).is_some_and(is_false)
}

/// Whether what is opened is another object's contents, and closing it neither releases nor writes
/// anything: `ZipFile(BytesIO(data))`, `wave.open(f)`.
pub(super) fn owns_nothing(world: World<'_, '_>, call: &ExprCall, callable: &str) -> bool {
    // What a child writes to is none of its own.
    if callable == "subprocess.Popen" {
        return false;
    }
    if OPENERS.contains(&callable) {
        return leaves_descriptor(call, callable);
    }
    if callable == "PIL.Image.open" {
        return !call.args.first().is_some_and(|first| is_like_a_path(world, first));
    }
    let Some(over) = world.table.over_stream(callable) else {
        return is_over_any_stream(world, call);
    };
    let Some(stream) = argument(call, &over.stream).filter(|stream| is_stream(world, over, stream)) else {
        return false;
    };
    is_in_memory(world, stream) || !argument(call, &over.mode).is_some_and(writes)
}

fn is_stream(world: World<'_, '_>, over: &OverStream, expr: &Expr) -> bool {
    match expr {
        Expr::Constant(_) => false,
        _ => over.only || is_named(expr, &STREAMS) || is_typed(world, expr, true),
    }
}

fn is_in_memory(world: World<'_, '_>, expr: &Expr) -> bool {
    is_named(expr, &IN_MEMORY) || is_typed(world, expr, false)
}

fn is_over_any_stream(world: World<'_, '_>, call: &ExprCall) -> bool {
    let mut all = call
        .args
        .iter()
        .chain(call.keywords.iter().map(|keyword| &keyword.value));
    call.args.first().is_some_and(|first| is_named(first, &STREAMS)) || all.any(|one| is_typed(world, one, true))
}

/// Whether the value is a path rather than a stream: what is opened from a stream of others holds no file of its own.
fn is_like_a_path(world: World<'_, '_>, expr: &Expr) -> bool {
    const WORDS: [&str; 4] = ["path", "filename", "fname", "file_name"];
    let class = world.types().of(expr);
    let is_typed = class.is_some_and(|class| ["pathlib.Path", "builtins.str"].contains(&class.as_str()));
    is_typed
        || match expr {
            Expr::Constant(_) | Expr::JoinedStr(_) | Expr::BinOp(_) => true,
            Expr::Call(call) => world.names.resolve(&call.func).qualified() == Some("os.path.join"),
            other => {
                let name = super::tail(other).to_lowercase();
                WORDS.iter().any(|known| name.ends_with(known))
            }
        }
}

fn is_named(expr: &Expr, words: &[&str]) -> bool {
    expr.as_name_expr()
        .is_some_and(|name| words.contains(&name.id.as_str()))
}

fn is_typed(world: World<'_, '_>, expr: &Expr, files_too: bool) -> bool {
    let class = world.types().of(expr);
    class.is_some_and(|class| {
        ["io.BytesIO", "io.StringIO"].contains(&class.as_str()) || (files_too && class == "io.IOBase")
    })
}

/// `"wb"`, `"a"`, `"x"`, and tarfile's `"w|gz"`.
fn writes(mode: &Expr) -> bool {
    let text = mode.as_constant_expr().and_then(|constant| constant.value.as_str());
    text.is_some_and(|text| text.starts_with(['w', 'a', 'x']))
}

fn argument<'c>(call: &'c ExprCall, Parameter(name, at): &Parameter) -> Option<&'c Expr> {
    let named = call
        .keywords
        .iter()
        .find(|keyword| keyword.arg.as_ref().is_some_and(|word| word.as_str() == name.as_ref()));
    let starred = call.args.iter().take(at + 1).any(Expr::is_starred_expr);
    let positional = call.args.get(*at).filter(|_| !starred);
    named.map(|keyword| &keyword.value).or(positional)
}
