//! A compose file becomes the desired set: an application of services, networks, volumes, secrets and configs.
//!
//! Pure: files are read through [`Files`], variables are given, nothing is printed. One way, each step's output the
//! next one's input, and one table (`schema/`) for all of them:
//!
//! ```text
//! yaml          text            → Node            each with its file, line and column; anchors, merge keys, tags
//! interpolate   Node, variables → Node            before types are decided
//! settle        Node, Shape     → Node            types and keys checked, short forms made long, paths absolute
//! extends       service         → service         what it extends is below it
//! include       files           → file            what it includes is beside it
//! merge         files           → Node            the later ones over the earlier ones; !reset, !override
//! profiles      Node, profiles  → Node            what is not wanted is set aside
//! normal        Node            → Node            environment, default network, names, defaults
//! check         Node            → ()              what refers to what
//! model         Node            → [`Project`]     typed
//! ```
//! Source: the Compose Specification.

mod check;
mod dotenv;
pub mod emit;
mod error;
mod expand;
mod extends;
mod files;
pub mod hash;
mod include;
mod interpolate;
pub mod limits;
mod load;
mod locate;
mod map;
mod merge;
pub mod model;
mod node;
mod normal;
mod paths;
mod profiles;
mod schema;
mod settle;
mod shape;
mod value;
mod yaml;

pub use error::{Error, Problem};
pub use files::{Files, Memory};
pub use load::{Loaded, Options, load};
pub use locate::{Found, Where, locate};
pub use model::Project;
pub use node::Node;
