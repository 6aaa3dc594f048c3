//! File-sharing sites and cloud drives by the domains they serve from, as their operators publish them.

use crate::names::is_within;

/// A site: its name for people, whether it is a drive of a cloud provider (else anybody's files for anybody), a domain.
pub(super) struct Site {
    pub(super) name: &'static str,
    pub(super) cloud: bool,
    domain: &'static str,
}

const fn sharing(name: &'static str, domain: &'static str) -> Site {
    Site {
        name,
        cloud: false,
        domain,
    }
}

const fn cloud(name: &'static str, domain: &'static str) -> Site {
    Site {
        name,
        cloud: true,
        domain,
    }
}

pub(super) const SITES: &[Site] = &[
    sharing("1fichier", "1fichier.com"),
    sharing("4shared", "4shared.com"),
    sharing("Bashupload", "bashupload.com"),
    sharing("Catbox", "catbox.moe"),
    sharing("Datoid", "datoid.cz"),
    sharing("Dropmefiles", "dropmefiles.com"),
    sharing("Fastshare", "fastshare.cz"),
    sharing("Filebin", "filebin.net"),
    sharing("File.io", "file.io"),
    sharing("Filemail", "filemail.com"),
    sharing("Gofile", "gofile.io"),
    sharing("Hellshare", "hellshare.com"),
    sharing("Hellspy", "hellspy.cz"),
    sharing("Katfile", "katfile.com"),
    sharing("Krakenfiles", "krakenfiles.com"),
    sharing("Mediafire", "mediafire.com"),
    sharing("Nitroflare", "nitroflare.com"),
    sharing("Pixeldrain", "pixeldrain.com"),
    sharing("Rapidgator", "rapidgator.net"),
    sharing("Sendspace", "sendspace.com"),
    sharing("Smash", "fromsmash.com"),
    sharing("SwissTransfer", "swisstransfer.com"),
    sharing("Temp.sh", "temp.sh"),
    sharing("Transfer.sh", "transfer.sh"),
    sharing("Turbobit", "turbobit.net"),
    sharing("Ufile", "ufile.io"),
    sharing("Uloz.to", "uloz.to"),
    sharing("WeTransfer", "we.tl"),
    sharing("WeTransfer", "wetransfer.com"),
    cloud("Box", "box.com"),
    cloud("Box", "boxcloud.com"),
    cloud("Dropbox", "dropbox.com"),
    cloud("Dropbox", "dropboxapi.com"),
    cloud("Dropbox", "dropboxusercontent.com"),
    cloud("Google Drive", "drive.google.com"),
    cloud("Google Drive", "drive.usercontent.google.com"),
    cloud("iCloud", "icloud-content.com"),
    cloud("Mega", "mega.co.nz"),
    cloud("Mega", "mega.io"),
    cloud("Mega", "mega.nz"),
    cloud("OneDrive", "1drv.com"),
    cloud("OneDrive", "1drv.ms"),
    cloud("OneDrive", "onedrive.live.com"),
    cloud("pCloud", "pcloud.com"),
    cloud("Sync", "sync.com"),
    cloud("Terabox", "terabox.com"),
    cloud("Yandex Disk", "disk.yandex.com"),
    cloud("Yandex Disk", "disk.yandex.ru"),
];

/// The site a host name belongs to.
pub(super) fn site(name: &str, cloud_services: bool) -> Option<usize> {
    SITES
        .iter()
        .position(|site| (cloud_services || !site.cloud) && is_within(name, site.domain))
}
