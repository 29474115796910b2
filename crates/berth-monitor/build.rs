//! Links the program without libc, at a fixed address: no dynamic linker, no relocations to apply,
//! hence no page made private before `_start`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for argument in [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
    ] {
        println!("cargo::rustc-link-arg-bin=berth-monitor={argument}");
    }
}
