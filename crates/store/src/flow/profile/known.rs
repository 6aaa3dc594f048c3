//! The profiles a store knows: their definitions, and which epoch of their numbers counts. A profile that is filled from
//! the stored past begins a new epoch; until that is whole, and should it never be, the one before counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ALL, CHANNELS_MAX, Channel, NAME_BYTES_MAX, PROFILES_MAX, Profile, filter};
use crate::disk::{self, Disk};
use crate::flow::StoreError;

/// File of the definitions.
const FILE: &str = "profiles";

/// Every profile of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub profiles: Vec<Kept>,
    /// No epoch of any profile, forgotten ones too, has this number yet.
    #[serde(default)]
    pub(super) next_epoch: u32,
}

/// A profile as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub name: String,
    pub title: String,
    /// In the filter language.
    pub filter: String,
    pub channels: Vec<KeptChannel>,
    /// The named lists of all its filters, as they were then.
    #[serde(default)]
    pub lists: BTreeMap<String, Vec<String>>,
    /// Is it counted? Otherwise what was counted is still there.
    pub active: bool,
    /// From which moment (milliseconds since 1970) which epoch counts, in order of time.
    pub(super) epochs: Vec<(i64, u32)>,
}

/// A channel as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptChannel {
    pub name: String,
    pub filter: String,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            profiles: vec![Kept::of(&Profile::all(), 0)],
            next_epoch: 1,
        }
    }
}

impl Kept {
    fn of(profile: &Profile, epoch: u32) -> Self {
        Self {
            name: profile.name.clone(),
            title: profile.title.clone(),
            filter: profile.filter.to_string(),
            channels: profile
                .channels
                .iter()
                .map(|channel| KeptChannel {
                    name: channel.name.clone(),
                    filter: channel.filter.to_string(),
                })
                .collect(),
            lists: profile.lists.clone(),
            active: true,
            epochs: vec![(i64::MIN, epoch)],
        }
    }

    /// The epoch that counts at a moment, milliseconds since 1970.
    pub(super) fn epoch_at(&self, millis: i64) -> Option<u32> {
        let behind = self.epochs.partition_point(|(from, _)| *from <= millis);
        Some(self.epochs.get(behind.checked_sub(1)?)?.1)
    }

    /// From a moment on another epoch counts.
    pub(super) fn turn(&mut self, from: i64, epoch: u32) {
        self.epochs.retain(|(since, _)| *since < from);
        self.epochs.push((from, epoch));
    }

    /// What it counts; `None` for a filter that a later version wrote.
    pub(super) fn profile(&self) -> Option<Profile> {
        let channels = self.channels.iter().map(|channel| {
            Some(Channel {
                name: channel.name.clone(),
                filter: filter(&channel.filter, &self.lists).ok()?,
            })
        });
        Some(Profile {
            name: self.name.clone(),
            title: self.title.clone(),
            filter: filter(&self.filter, &self.lists).ok()?,
            lists: self.lists.clone(),
            channels: channels.collect::<Option<_>>()?,
        })
    }
}

impl Known {
    /// Reads what a store knows; the profile of all records when nothing was written yet.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read: which numbers count would be a guess.
    pub fn read(disk: &dyn Disk) -> Result<Self, StoreError> {
        let bytes = match disk.open(FILE) {
            Ok(file) => file.read_all()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let damaged = || StoreError::Damaged(FILE.to_owned());
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
        let (body, check) = text.rsplit_once("crc ").ok_or_else(damaged)?;
        if check.trim_end() != format!("{:08x}", crc32fast::hash(body.as_bytes())) {
            return Err(damaged());
        }
        let mut known: Self = serde_json::from_str(body).map_err(|_| damaged())?;
        let epochs = known.profiles.iter().flat_map(|kept| &kept.epochs);
        let highest = epochs.map(|(_, epoch)| *epoch).max().unwrap_or(0);
        known.next_epoch = known.next_epoch.max(highest.saturating_add(1));
        Ok(known)
    }

    pub(super) fn write(&self, disk: &dyn Disk) -> Result<(), StoreError> {
        let body =
            serde_json::to_string_pretty(self).map_err(|error| StoreError::Profile(error.to_string()))?;
        let text = format!(
            "{body}\ncrc {:08x}\n",
            crc32fast::hash(format!("{body}\n").as_bytes())
        );
        Ok(disk::replace(disk, FILE, text.as_bytes())?)
    }

    /// The profile of this name.
    pub fn profile(&self, name: &str) -> Option<&Kept> {
        self.profiles.iter().find(|kept| kept.name == name)
    }

    pub(super) fn profile_mut(&mut self, name: &str) -> Option<&mut Kept> {
        self.profiles.iter_mut().find(|kept| kept.name == name)
    }

    /// A number that no epoch has or will have.
    pub(super) fn take_epoch(&mut self) -> u32 {
        let epoch = self.next_epoch;
        self.next_epoch = epoch.saturating_add(1);
        epoch
    }

    /// From now on these are counted, and that of all records; others end.
    pub(super) fn set(&mut self, profiles: &[Profile]) -> Result<(), StoreError> {
        let all = Profile::all();
        let own = profiles.iter().filter(|profile| profile.name != ALL);
        let wanted: Vec<&Profile> = std::iter::once(&all).chain(own).collect();
        let channels: usize = wanted.iter().map(|profile| profile.channels.len()).sum();
        if channels > CHANNELS_MAX {
            return Err(StoreError::Profile(format!(
                "{channels} channels are wanted and {CHANNELS_MAX} are counted at most: each is compared with every record"
            )));
        }
        for kept in &mut self.profiles {
            kept.active = false;
        }
        for profile in wanted {
            let names = profile.channels.iter().map(|channel| &channel.name);
            if let Some(name) = names.chain([&profile.name]).find(|name| !is_name(name)) {
                return Err(StoreError::Profile(format!(
                    "{name:?} cannot be a name: letters, digits, '.', '-' and '_', 1 to {NAME_BYTES_MAX} of them"
                )));
            }
            let full = self.profiles.len() >= PROFILES_MAX;
            match self.profile_mut(&profile.name) {
                Some(kept) => {
                    let epochs = std::mem::take(&mut kept.epochs);
                    *kept = Kept {
                        epochs,
                        ..Kept::of(profile, 0)
                    };
                }
                None if full => {
                    return Err(StoreError::Profile(format!(
                        "the store knows {PROFILES_MAX} profiles already: forget one that has ended (weir profiles forget)"
                    )));
                }
                None => {
                    let epoch = self.take_epoch();
                    self.profiles.push(Kept::of(profile, epoch));
                }
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed)
}
