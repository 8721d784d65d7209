//! The program `weauth`: see [`weauth::cli`].

/// A login's memory is often given back by another thread than the one that asked for it; this allocator is made
/// for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    weauth::cli::main()
}
