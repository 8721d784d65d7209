//! The program `weauth`: see [`weauth::cli`].

/// A login makes and drops some hundred small things on three threads; glibc's allocator takes a tenth of the
/// whole for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    weauth::cli::main()
}
