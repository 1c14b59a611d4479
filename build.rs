//! The pages and the core corpus are embedded: a change of them must build the crate anew.

fn main() {
    for folder in ["mutators", "corpus"] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
