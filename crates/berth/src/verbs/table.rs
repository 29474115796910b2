//! The table of verbs: their names, what help says of them, and how they are grouped.

use clap::{Args as _, Command};

use super::{Entry, group, verb, with};
use crate::cmd;

/// The verbs of `berth`.
pub fn all() -> Vec<Entry> {
    let mut entries = lifecycle();
    entries.extend([
        verb::<cmd::ps::Ps>("ps", "List containers"),
        verb::<cmd::inspect::Inspect>("inspect", "Show all that is known of containers and images"),
    ]);
    entries.extend(on_images());
    entries.extend([
        verb::<cmd::login::Login>("login", "Log in to a registry"),
        verb::<cmd::logout::Logout>("logout", "Forget the login for a registry"),
        verb::<cmd::search::Search>("search", "Search a registry for images"),
        verb::<cmd::images::Images>("images", "List images"),
        verb::<cmd::rmi::Rmi>(
            "rmi",
            "Remove names of images, and with its last name the image",
        ),
        group(
            "container",
            "Verbs on containers",
            containers_group,
            containers,
        ),
        group("image", "Verbs on images", images_group, images),
        group("volume", "Verbs on volumes", volumes_group, volumes),
        group(
            "trust",
            "Policies and signatures: which images may be pulled",
            trust_group,
            trust,
        ),
        group(
            "artifact",
            "Verbs on files in registries that are no images",
            artifacts_group,
            artifacts,
        ),
        group(
            "manifest",
            "Verbs on indexes of images for several platforms",
            manifests_group,
            manifests,
        ),
        group(
            "registry",
            "A registry of one's own, and the histories of its tags",
            registry_group,
            registry,
        ),
        group(
            "context",
            "Names of daemons, and which one is used",
            contexts_group,
            contexts,
        ),
        group("network", "Verbs on networks", networks_group, networks),
        group(
            "compose",
            "An application of many containers from one file",
            compose_group,
            compose,
        ),
        group(
            "system",
            "Verbs on the engine's state",
            system_group,
            system,
        ),
        verb::<cmd::daemon::Daemon>("daemon", "Serve the Docker Engine API"),
        verb::<cmd::events::Events>("events", "Show what happens, and what has happened"),
        verb::<cmd::info::Info>("info", "Show what the engine works with"),
        verb::<cmd::fsck::Fsck>("fsck", "Check the state, and repair what a crash left"),
        verb::<cmd::unshare::Unshare>(
            "unshare",
            "Run a command in the user namespace of rootless containers",
        ),
        verb::<cmd::version::Version>("version", "Show the versions of berth and its parts"),
        verb::<cmd::completion::Completion>("completion", "Print a shell's completion script"),
        group(
            "internal",
            "What berth starts itself as",
            internal_group,
            internal,
        )
        .hidden(),
    ]);
    entries
}

/// The verbs on images that have the same name alone and behind `image`.
fn on_images() -> Vec<Entry> {
    vec![
        verb::<cmd::pull::Pull>("pull", "Fetch an image from its registry"),
        verb::<cmd::push::Push>("push", "Bring an image to its registry"),
        verb::<cmd::import::Import>("import", "Make an image of the tar of a root file system"),
        verb::<cmd::load::Load>("load", "Take images from an archive"),
        verb::<cmd::save::Save>("save", "Write images to an archive"),
        verb::<cmd::tag::Tag>("tag", "Give an image one more name"),
        verb::<cmd::history::History>("history", "Show how an image came about"),
    ]
}

fn images_group(command: Command) -> Command {
    with(command, images())
}

fn images() -> Vec<Entry> {
    let mut entries = on_images();
    entries.extend([
        verb::<cmd::images::Images>("ls", "List images").alias(&["list"]),
        verb::<cmd::rmi::Rmi>(
            "rm",
            "Remove names of images, and with its last name the image",
        ),
        verb::<cmd::inspect::InspectImage>("inspect", "Show all that is known of images"),
        verb::<cmd::bootstrap::Bootstrap>(
            "bootstrap",
            "Make a base image of Debian's packages, without a registry",
        ),
        verb::<cmd::image_prune::Prune>("prune", "Remove images that are not needed"),
    ]);
    entries
}

fn contexts_group(command: Command) -> Command {
    with(command, contexts())
}

fn contexts() -> Vec<Entry> {
    use cmd::context;
    vec![
        verb::<context::create::Create>("create", "Give a daemon a name"),
        verb::<context::export::Export>("export", "Write a context to an archive"),
        verb::<context::import::Import>("import", "Take a context from an archive"),
        verb::<context::inspect::Inspect>("inspect", "Show all that is known of contexts"),
        verb::<context::ls::Ls>("ls", "List the names of daemons").alias(&["list"]),
        verb::<context::rm::Rm>("rm", "Forget names of daemons").alias(&["remove"]),
        verb::<context::show::Show>("show", "Print the name of the context that is used"),
        verb::<context::update::Update>("update", "Change what a name stands for"),
        verb::<context::use_::Use>("use", "Say which daemon the verbs use from now on"),
    ]
}

fn volumes_group(command: Command) -> Command {
    with(command, volumes())
}

fn volumes() -> Vec<Entry> {
    use cmd::volume;
    vec![
        verb::<volume::create::Create>("create", "Make a volume"),
        verb::<volume::ls::Ls>("ls", "List volumes").alias(&["list"]),
        verb::<volume::inspect::Inspect>("inspect", "Show all that is known of volumes"),
        verb::<volume::rm::Rm>("rm", "Remove volumes").alias(&["remove"]),
        verb::<volume::prune::Prune>("prune", "Remove volumes that are not needed"),
    ]
}

fn trust_group(command: Command) -> Command {
    with(command, trust())
}

fn trust() -> Vec<Entry> {
    use cmd::trust;
    vec![
        verb::<trust::ls::Ls>("ls", "List the policies").alias(&["list"]),
        verb::<trust::set::Set>(
            "set",
            "Say what images whose names begin so need to be pulled",
        ),
        verb::<trust::rm::Rm>("rm", "Remove the policy of a prefix"),
        verb::<trust::default::Default>("default", "Say what images need that no policy names"),
        group("key", "Keys that sign images", key_group, key),
        verb::<trust::sign::Sign>("sign", "Sign an image in its registry"),
        verb::<trust::verify::Verify>(
            "verify",
            "Hold an image against the policies, or against keys",
        ),
        verb::<trust::inspect::Inspect>(
            "inspect",
            "Show the signatures of an image, and which known key made each",
        ),
    ]
}

fn key_group(command: Command) -> Command {
    with(command, key())
}

fn key() -> Vec<Entry> {
    vec![verb::<cmd::trust::key::Generate>(
        "generate",
        "Make a pair of keys: NAME.key signs, NAME.pub verifies",
    )]
}

fn registry_group(command: Command) -> Command {
    with(command, registry())
}

fn registry() -> Vec<Entry> {
    use cmd::registry;
    vec![
        verb::<registry::serve::Serve>("serve", "Be a registry"),
        verb::<registry::fsck::Fsck>("fsck", "Say what is damaged in a registry of this machine"),
        verb::<registry::gc::Gc>("gc", "Remove what a registry of this machine does not need"),
        verb::<registry::history::History>("history", "Show what a tag named: when, who, which"),
        verb::<registry::rollback::Rollback>("rollback", "Have a tag name what it named before"),
    ]
}

fn artifacts_group(command: Command) -> Command {
    with(command, artifacts())
}

fn artifacts() -> Vec<Entry> {
    vec![
        verb::<cmd::artifact::push::Push>("push", "Bring files to a registry"),
        verb::<cmd::artifact::pull::Pull>("pull", "Fetch the files of an artifact"),
        verb::<cmd::artifact::ls::Ls>("ls", "List the artifacts that are about an image")
            .alias(&["list"]),
        verb::<cmd::artifact::inspect::Inspect>(
            "inspect",
            "Show what an artifact is and which files it has",
        ),
    ]
}

fn manifests_group(command: Command) -> Command {
    with(command, manifests())
}

fn manifests() -> Vec<Entry> {
    use cmd::manifest;
    vec![
        verb::<manifest::create::Create>("create", "Make an index of images for several platforms"),
        verb::<manifest::annotate::Annotate>("annotate", "Say what an image in an index runs on"),
        verb::<manifest::inspect::Inspect>(
            "inspect",
            "Show an index that was made here, or a manifest or index in a registry",
        ),
        verb::<manifest::push::Push>(
            "push",
            "Bring an index, and what its registry lacks of its images, to the registry",
        ),
        verb::<manifest::rm::Rm>(
            "rm",
            "Forget indexes that were made here; the images in them stay",
        ),
    ]
}

fn networks_group(command: Command) -> Command {
    with(command, networks())
}

fn networks() -> Vec<Entry> {
    use cmd::network;
    vec![
        verb::<network::ls::Ls>("ls", "List networks").alias(&["list"]),
        verb::<network::inspect::Inspect>("inspect", "Show all that is known of networks"),
        verb::<network::create::Create>("create", "Make a network"),
        verb::<network::rm::Rm>("rm", "Remove networks").alias(&["remove"]),
        verb::<network::connect::Connect>("connect", "Connect a container to a network"),
        verb::<network::disconnect::Disconnect>(
            "disconnect",
            "Disconnect a container from a network",
        ),
        verb::<network::prune::Prune>("prune", "Remove networks that no container uses"),
    ]
}

fn compose_group(command: Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    let command = cmd::compose::Project::augment_args(command);
    with(command.about(about).long_about(None), compose())
}

fn compose() -> Vec<Entry> {
    use cmd::compose;
    vec![
        verb::<compose::config::Config>(
            "config",
            "Check a project's files, and print what they come to",
        )
        .alias(&["convert"]),
    ]
}

fn system_group(command: Command) -> Command {
    with(command, system())
}

fn system() -> Vec<Entry> {
    vec![
        verb::<cmd::info::Info>("info", "Show what the engine works with"),
        verb::<cmd::dial_stdio::DialStdio>(
            "dial-stdio",
            "Be the way to this machine's daemon, by standard input and output",
        ),
        verb::<cmd::events::Events>("events", "Show what happens, and what has happened"),
        verb::<cmd::df::Df>("df", "Show what takes how much of the disk"),
        verb::<cmd::system_prune::Prune>("prune", "Remove what is not needed"),
        verb::<cmd::gc::Gc>("gc", "Remove content that no image and no container needs"),
    ]
}

/// The verbs on containers that have the same name alone and behind `container`.
fn lifecycle() -> Vec<Entry> {
    vec![
        verb::<cmd::run::Run>("run", "Make a container and run it"),
        verb::<cmd::create::Create>("create", "Make a container without starting it"),
        verb::<cmd::exec::Exec>("exec", "Run a further process in a running container"),
        verb::<cmd::start::Start>("start", "Start containers"),
        verb::<cmd::stop::Stop>("stop", "Ask containers to end, and kill those that do not"),
        verb::<cmd::restart::Restart>("restart", "Stop containers and start them again"),
        verb::<cmd::kill::Kill>("kill", "Send a signal to containers"),
        verb::<cmd::pause::Pause>("pause", "Freeze all processes of containers"),
        verb::<cmd::unpause::Unpause>("unpause", "Let frozen containers run on"),
        verb::<cmd::rm::Rm>("rm", "Remove containers"),
        verb::<cmd::rename::Rename>("rename", "Give a container another name"),
        verb::<cmd::stats::Stats>("stats", "Show what containers use, again and again"),
        verb::<cmd::update::Update>(
            "update",
            "Change limits and the restart policy of containers",
        ),
        verb::<cmd::port::Ports>("port", "Show which ports of the host lead to a container"),
        verb::<cmd::top::Top>("top", "Show the processes of a container"),
        verb::<cmd::explain::Explain>(
            "explain",
            "Show each setting as the kernel has it, and what caused it",
        ),
        verb::<cmd::cp::Cp>("cp", "Copy files between a container and the host"),
        verb::<cmd::diff::Diff>("diff", "Show what a container changed in its image's files"),
        verb::<cmd::export::Export>("export", "Write all files of a container to an archive"),
        verb::<cmd::commit::Commit>("commit", "Make an image of a container"),
        verb::<cmd::logs::Logs>("logs", "Show what a container wrote"),
        verb::<cmd::attach::Attach>(
            "attach",
            "Connect to a running container's input and output",
        ),
        verb::<cmd::wait::Wait>(
            "wait",
            "Wait until containers end, and print their exit codes",
        ),
    ]
}

fn containers_group(command: Command) -> Command {
    with(command, containers())
}

fn containers() -> Vec<Entry> {
    let mut entries = lifecycle();
    entries.extend([
        verb::<cmd::ps::Ps>("ls", "List containers").alias(&["ps", "list"]),
        verb::<cmd::inspect::InspectContainer>("inspect", "Show all that is known of containers"),
        verb::<cmd::container_prune::Prune>("prune", "Remove all containers that do not run"),
    ]);
    entries
}

fn internal_group(command: Command) -> Command {
    with(command, internal())
}

fn internal() -> Vec<Entry> {
    vec![
        verb::<cmd::manual::Manual>("manual", "Write manual pages"),
        verb::<cmd::internal::network::Network>(
            "network",
            "Answer questions for names in user networks",
        ),
        verb::<cmd::internal::pasta::Pasta>("pasta", "Connect an ordinary user's container"),
        verb::<cmd::internal::Reap>("reap", "Clean up after a container that ended"),
        verb::<cmd::internal::RemoveBridge>(
            "remove-bridge",
            "Remove the bridge network from the host",
        ),
        verb::<cmd::internal::Thaw>("thaw", "Thaw a container when standard input ends"),
    ]
}
