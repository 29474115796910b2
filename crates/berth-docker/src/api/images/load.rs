//! `POST /images/load`: the images of the archive that is the body.

use berth_engine::image::{LoadFrom, Loaded};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::messages::{self, Message};

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let platform = super::platform(&ask)?;
    let (engine, peer) = (ask.docker.engine.clone(), ask.peer.clone());
    let source = ask.into_source();
    messages::answer(peer, move |messages| {
        let loaded = engine.load_images(LoadFrom::archive(source), platform.as_ref());
        // With `quiet` or without: nothing is told before all of it is here. An archive that is none is told by a
        // message, too: clients look there.
        let loaded = match loaded.map_err(Failure::of_content) {
            Err(failure) if failure.status.is_client_error() => {
                messages.fail(&failure.message);
                return Ok(());
            }
            loaded => loaded?,
        };
        for image in loaded {
            for line in lines(&image) {
                messages.send(Message {
                    stream: Some(&line),
                    ..Message::default()
                });
            }
        }
        Ok(())
    })
    .await
}

fn lines(image: &Loaded) -> Vec<String> {
    if image.names.is_empty() {
        return vec![format!("Loaded image ID: {}\n", image.id)];
    }
    let names = image.names.iter();
    names
        .map(|name| format!("Loaded image: {}\n", name.familiar()))
        .collect()
}
