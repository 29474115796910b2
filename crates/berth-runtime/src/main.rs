//! The static, thread-free OCI runtime and shim: `berth_runtime::cmd` has the verbs.

fn main() -> std::process::ExitCode {
    let mut arguments = Vec::new();
    for argument in std::env::args_os() {
        match argument.into_string() {
            Ok(argument) => arguments.push(argument),
            Err(odd) => {
                eprintln!("error: the argument {} is not UTF-8", odd.display());
                return std::process::ExitCode::from(125);
            }
        }
    }
    let program = if arguments.is_empty() {
        String::new()
    } else {
        arguments.remove(0)
    };
    let code = berth_runtime::cmd::main(&program, arguments);
    std::process::ExitCode::from(u8::try_from(code).unwrap_or(125))
}
