//! `harness completions`: completion scripts for shells.

use super::output::print;
use crate::exit::Failure;
use clap_complete::Shell;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  harness completions bash > ~/.local/share/bash-completion/completions/harness
  harness completions zsh > ~/.zfunc/_harness
  harness completions fish > ~/.config/fish/completions/harness.fish")]
pub struct Arguments {
    /// The shell
    shell: Shell,
}

/// Runs the verb on the whole command line's description.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(arguments: &Arguments, mut command: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "harness", &mut script);
    print(&String::from_utf8_lossy(&script))
}
