//! Sets the SONAME, so that a consumer's NEEDED entry is not the absolute build path (anchors.md rule 26). Nothing else.

/// The ABI number: the `N` of `libtelelink.so.N`, raised when a public C symbol or struct changes incompatibly.
const ABI: &str = "0";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "linux" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libtelelink.so.{ABI}");
        // Threads of the LiveKit library outlive any dlclose, so this library must stay mapped (design.md decision 11).
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    } else if os == "macos" {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libtelelink.{ABI}.dylib");
    }
}
