//! The program `weauth`; see `src/cli/`.

/// Allocates with mimalloc, which is built for memory that is often freed by another thread than the one that
/// allocated it, as a login's memory is.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    weauth::main()
}
