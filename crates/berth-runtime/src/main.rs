//! The static, thread-free OCI runtime and shim: `berth_runtime::cmd` has the verbs.

#![cfg_attr(not(test), no_main)]

#[cfg(not(test))]
berth_sys::entry!(run);

#[cfg_attr(test, allow(dead_code))]
fn run() -> i32 {
    let mut arguments = Vec::new();
    for argument in std::env::args_os() {
        match argument.into_string() {
            Ok(argument) => arguments.push(argument),
            Err(odd) => {
                eprintln!("error: the argument {} is not UTF-8", odd.display());
                return 125;
            }
        }
    }
    let program = if arguments.is_empty() {
        String::new()
    } else {
        arguments.remove(0)
    };
    let code = berth_runtime::cmd::main(&program, arguments);
    u8::try_from(code).map_or(125, i32::from)
}
