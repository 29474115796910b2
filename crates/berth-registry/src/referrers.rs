//! Referrers: manifests whose `subject` is another. Registries list them since version 1.1 of the specification;
//! for the others an index under the tag `sha256-<hex>` of the same repository is the list, kept by clients.
//!
//! Source: distribution specification 1.1, "Listing Referrers", "Referrers Tag Schema".

use berth_oci::image::{Document, parse_document, parse_index, parse_strict};
use berth_oci::{Descriptor, Digest, Index, Reference, media};
use serde::Deserialize;

use crate::Error;
use crate::client::Client;

/// Characters of a digest's two parts that stand in a tag.
const TAG_PARTS: (usize, usize) = (32, 64);

/// A manifest that has a subject.
pub(crate) struct Referrer {
    pub(crate) subject: Digest,
    /// It, as a list of referrers shows it.
    entry: Descriptor,
}

impl Referrer {
    /// `None`: it has no subject.
    pub(crate) fn read(bytes: &[u8], descriptor: &Descriptor) -> Option<Referrer> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Form {
            subject: Option<Descriptor>,
            artifact_type: Option<String>,
            config: Option<Config>,
            annotations: Option<std::collections::BTreeMap<String, String>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Config {
            media_type: String,
        }
        let form: Form = parse_strict("the manifest", bytes).ok()?;
        let own_type = form.artifact_type.filter(|t| !t.is_empty());
        let entry = Descriptor {
            artifact_type: own_type.or(form.config.map(|config| config.media_type)),
            annotations: form.annotations.unwrap_or_default(),
            ..descriptor.clone()
        };
        Some(Referrer {
            subject: form.subject?.digest,
            entry,
        })
    }
}

impl Client {
    /// The manifests in the repository of `reference` that refer to `subject`; of this artifact type, if one is
    /// given.
    ///
    /// # Errors
    /// Not allowed, not reachable, not a list.
    pub async fn referrers(
        &self,
        reference: &Reference,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let name = reference.familiar_name();
        let rest = format!("referrers/{subject}");
        let query: Vec<_> = artifact_type
            .map(|t| ("artifactType", t))
            .into_iter()
            .collect();
        let page = |bytes: &[u8]| {
            let index = parse_index(bytes, None).map_err(|source| Error::Document {
                reference: name.clone(),
                source,
            })?;
            Ok(index.manifests)
        };
        let mut found = match self.pages(reference, &rest, &query, page).await {
            Err(Error::NotFound { .. }) => self.tagged_referrers(reference, subject).await?,
            other => other?,
        };
        // Whether the registry has done so or not.
        if let Some(wanted) = artifact_type {
            found.retain(|entry| entry.artifact_type.as_deref() == Some(wanted));
        }
        Ok(found)
    }

    async fn tagged_referrers(
        &self,
        reference: &Reference,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, Error> {
        let list = list_of(reference, subject);
        match self.fetch_manifest(&list).await {
            Err(Error::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
            Ok(fetched) => match parse_document(&fetched.bytes, Some(&fetched.media_type)) {
                Ok(Document::Index(index)) => Ok(index.manifests),
                // Somebody's image that happens to be called so.
                _ => Ok(Vec::new()),
            },
        }
    }

    /// Writes a referrer into the list that is a tag. Whoever writes it at the same moment may win: the
    /// specification has no lock.
    pub(crate) async fn list_referrer(
        &self,
        reference: &Reference,
        referrer: Referrer,
    ) -> Result<(), Error> {
        let mut manifests = self.tagged_referrers(reference, &referrer.subject).await?;
        if manifests.iter().any(|m| m.digest == referrer.entry.digest) {
            return Ok(());
        }
        manifests.push(referrer.entry);
        let index = Index {
            manifests,
            ..Index::default()
        };
        // An index of strings and numbers has a JSON form.
        let bytes = serde_json::to_vec(&index).unwrap_or_default();
        let list = list_of(reference, &referrer.subject);
        Box::pin(self.push_manifest(&list, media::INDEX, &bytes)).await?;
        Ok(())
    }
}

/// The reference of the list that is a tag.
fn list_of(reference: &Reference, subject: &Digest) -> Reference {
    let algorithm = subject.algorithm().as_str();
    let tag = format!(
        "{}-{}",
        &algorithm[..algorithm.len().min(TAG_PARTS.0)],
        &subject.hex()[..subject.hex().len().min(TAG_PARTS.1)]
    );
    reference.with_tag(&tag).expect("such a tag is one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_a_subject_is_a_tag() {
        let reference = Reference::parse("r.example/a:1").unwrap();
        let digest = Digest::of(b"x");
        let list = list_of(&reference, &digest);
        assert_eq!(
            list.to_string(),
            format!("r.example/a:sha256-{}", digest.hex())
        );
        let long = Digest::sha512([7; 64]);
        let tag = list_of(&reference, &long).tag().unwrap().to_owned();
        assert_eq!(tag, format!("sha512-{}", &long.hex()[..64]));
    }

    #[test]
    fn a_subject_makes_a_referrer() {
        let descriptor = Descriptor::of(media::MANIFEST, b"m");
        let subject = Digest::of(b"s");
        let text = |more: &str| {
            format!(
                r#"{{"schemaVersion":2,"config":{{"mediaType":"a/config"}},"annotations":{{"k":"v"}}{more}}}"#
            )
        };
        let with = |more: String| Referrer::read(text(&more).as_bytes(), &descriptor);
        let named = format!(
            r#","subject":{{"mediaType":"{}","digest":"{subject}","size":1}}"#,
            media::MANIFEST
        );
        let found = with(named.clone()).unwrap();
        assert_eq!(found.subject, subject);
        assert_eq!(found.entry.artifact_type.as_deref(), Some("a/config"));
        assert_eq!(found.entry.annotations["k"], "v");
        let found = with(format!(r#"{named},"artifactType":"a/sbom""#)).unwrap();
        assert_eq!(found.entry.artifact_type.as_deref(), Some("a/sbom"));
        assert!(with(String::new()).is_none());
    }
}
