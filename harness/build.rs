//! Tells the program what it was built from: commit, whether the work tree differed from it, hash of the lock file, compiler,
//! profile. Without git, or outside a work tree, the commit is empty and nothing fails.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    set("HARNESS_RUSTC", &run(&rustc, &["--version"]).unwrap_or_default());
    set("HARNESS_PROFILE", &env::var("PROFILE").unwrap_or_default());
    set("HARNESS_LOCKFILE_HASH", &lockfile_hash());
    set("HARNESS_GIT_COMMIT", &git(&["rev-parse", "HEAD"]).unwrap_or_default());
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]).unwrap_or_default();
    set("HARNESS_GIT_DIRTY", if changes.is_empty() { "0" } else { "1" });

    // The dirty flag changes with any source, the commit with HEAD or with the branch that it names. A path that does
    // not exist would make cargo run this script each time, so only those that exist are watched.
    let head = git(&["rev-parse", "--git-path", "HEAD"]);
    let branch = git(&["symbolic-ref", "-q", "HEAD"])
        .and_then(|reference| git(&["rev-parse", "--git-path", &reference]));
    let packed = git(&["rev-parse", "--git-path", "packed-refs"]);
    let sources = ["build.rs", "src", "tests", "Cargo.toml", "../engines", "../Cargo.toml", "../Cargo.lock"];
    for path in sources.into_iter().map(str::to_owned).chain(head).chain(branch).chain(packed) {
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

fn set(name: &str, value: &str) {
    println!("cargo::rustc-env={name}={value}");
}

fn git(arguments: &[&str]) -> Option<String> {
    run("git", &[&["--no-optional-locks"], arguments].concat())
}

/// What a program prints, without the line's end; `None` if it cannot be run or fails.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// 64-bit FNV-1a of the workspace's Cargo.lock, hexadecimal; empty if there is none.
fn lockfile_hash() -> String {
    std::fs::read("../Cargo.lock").map_or_else(
        |_| String::new(),
        |bytes| {
            let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
            format!("{hash:016x}")
        },
    )
}
