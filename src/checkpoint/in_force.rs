//! The catalogue that a partition's last commit was made with, and the deployment that it is of.

use super::found::Found;
use super::glance::last_head;
use super::refused::{Refused, Why};
use crate::log::{Topic, WorkerLog};
use crate::model::Catalogue;

/// The deployment that the partition's state is of; `None` before the first commit.
///
/// # Errors
/// When the topic cannot be read, or its newest head is damaged.
pub fn deployment_of(log: &mut dyn WorkerLog, partition: u32) -> Result<Option<String>, Refused> {
    let head = last_head(log, partition).map_err(|why| Refused { partition, why })?;
    Ok(head.map(|head| head.deployment))
}

/// The newest catalogue that the partition's head names; `None` before the first commit with one.
///
/// # Errors
/// When the topic cannot be read, or a record of it is damaged.
pub fn catalogue_in_force(log: &mut dyn WorkerLog, partition: u32) -> Result<Option<Catalogue>, Refused> {
    let refused = |why| Refused { partition, why };
    let mut found = Found::default();
    let read = log.bounds(Topic::Checkpoint, partition).and_then(|(from, to)| {
        log.scan(Topic::Checkpoint, partition, from, to, &mut |message| {
            found.take(&message);
            true
        })
    });
    read.map_err(|error| refused(Why::Log(error.to_string())))?;
    let Some(head) = found.head().map_err(refused)? else { return Ok(None) };
    let catalogues = found.catalogues(&head).map_err(refused)?;
    Ok(catalogues.into_iter().map(|(catalogue, _)| catalogue).max_by_key(|c| c.version).map(|c| (*c).clone()))
}
