//! `state`: prints a container's state.

use super::args::{Args, unknown};
use super::{Global, print_json};
use crate::error::Result;

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    if let Some(option) = args.next_option()? {
        return Err(unknown(&option));
    }
    let id = args.only_operand("the container's id")?;
    print_json(&global.root.find(&id)?.state()?)?;
    Ok(0)
}
