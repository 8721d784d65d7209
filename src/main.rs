//! The program `weauth`: see [`weauth::cli`].

fn main() -> std::process::ExitCode {
    weauth::cli::main()
}
