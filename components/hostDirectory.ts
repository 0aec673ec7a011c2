/** Directories with files of the system's own, and everything below them. */
const systemTrees = [
  ..."/bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /proc /run /sbin /sys /usr".split(" "),
  ..."/nix /opt/containerd /opt/kasm /snap /var/backups /var/cache /var/crash /var/empty".split(
    " ",
  ),
  ..."/var/lock /var/log /var/mail /var/run /var/spool".split(" "),
  // Some are empty on most systems, and decide who may do what.
  ..."AccountsService apt cloud containerd dbus docker dpkg kubelet NetworkManager pam polkit-1"
    .split(" ")
    .map((name) => `/var/lib/${name}`),
  ..."private rpm snapd ssl sudo systemd".split(" ").map((name) => `/var/lib/${name}`),
];

/** Directories that hold other programs' and people's directories: one of our own may be below, and never be one of these. */
const sharedParents = [
  ..."/ /home /media /mnt /opt /root /srv /tmp".split(" "),
  ..."/var /var/lib /var/local /var/opt /var/tmp".split(" "),
];

/** Where KASM's own directory has a place for users' profiles. */
const kasmProfiles = "/opt/kasm/profiles";

/**
 * Checks whether a host's directory may be made, given to an account and mounted: an absolute path without links to its
 * parents that neither is nor holds what the system or KASM needs.
 */
export function isUsableDirectory(path: string): boolean {
  const isBelow = (tree: string) => path === tree || path.startsWith(`${tree}/`);
  return (
    /^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/.test(path) &&
    !sharedParents.includes(path) &&
    !/^\/home\/[^/]+$/.test(path) &&
    (isBelow(kasmProfiles) || !systemTrees.some(isBelow))
  );
}

/** Returns the directory in which KASM creates the users' profiles, or nothing if they are in a bucket. */
export function profilesDirectory(path: string): string {
  return path.startsWith("/") ? path.replace(/\/[^/]*\{.*$/, "") : "";
}

/** Checks whether one of two directories is the other one or below it. */
export function overlap(one: string, other: string): boolean {
  return `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`);
}
