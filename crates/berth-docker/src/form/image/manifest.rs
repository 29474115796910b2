//! A manifest of an image, in lists and inspections that ask for them (since 1.47).

use berth_engine::image::{Part, PartKind};
use berth_oci::{Descriptor, Platform};
use serde::Serialize;

use super::summary::signed;

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct Manifest {
    #[serde(rename = "ID")]
    pub id: String,
    pub descriptor: Descriptor,
    pub available: bool,
    pub size: Size,
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_data: Option<ImageData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attestation_data: Option<AttestationData>,
}

/// Bytes that are here.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct Size {
    pub content: i64,
    pub total: i64,
}

/// Of an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct ImageData {
    pub platform: Platform,
    pub containers: Vec<String>,
    pub size: Unpacked,
}

/// Bytes of what is unpacked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct Unpacked {
    pub unpacked: i64,
}

/// Of an attestation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct AttestationData {
    pub r#for: String,
}

/// A part of an image.
pub fn manifest(part: Part) -> Manifest {
    let content = signed(part.content_bytes);
    let mut manifest = Manifest {
        id: part.descriptor.digest.to_string(),
        descriptor: part.descriptor,
        available: part.available,
        size: Size {
            content,
            total: content,
        },
        kind: "unknown",
        image_data: None,
        attestation_data: None,
    };
    match part.kind {
        PartKind::Unknown => {}
        PartKind::Attestation(subject) => {
            manifest.kind = "attestation";
            manifest.attestation_data = Some(AttestationData { r#for: subject });
        }
        PartKind::Image {
            platform,
            unpacked_bytes,
            containers,
        } => {
            let unpacked = signed(unpacked_bytes);
            manifest.kind = "image";
            manifest.size.total = content.saturating_add(unpacked);
            manifest.image_data = Some(ImageData {
                platform,
                containers: containers.iter().map(ToString::to_string).collect(),
                size: Unpacked { unpacked },
            });
        }
    }
    manifest
}
