import type { OffsiteKeep } from "./offsite";

/** Returns where a gateway's backups are in the bucket if the settings don't say it. */
export function offsitePrefix(stack: string, containerName: string): string {
  return `${stack}/${containerName}`;
}

/** Files that the container of the backups reads. */
export const offsitePaths = {
  settings: "/etc/offsite/settings.json",
  password: "/etc/offsite/password",
  // In the form of MinIO's client, one of those in which restic looks for keys: JSON takes every letter.
  keys: "/root/.mc/config.json",
  authorities: "/etc/offsite/extra-ca.pem",
} as const;

/** Returns the text of the file with the settings. */
export function offsiteSettings(settings: {
  readonly endpoint: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly time: string;
  readonly keep: OffsiteKeep;
  readonly proxy: string | undefined;
  readonly stack: string;
}): string {
  return JSON.stringify(settings);
}

/** Returns the text of the file with the storage's keys. */
export function offsiteKeys({
  endpoint,
  accessKey,
  secretKey,
}: Readonly<Record<"endpoint" | "accessKey" | "secretKey", string>>): string {
  const hosts = { s3: { url: endpoint, accessKey, secretKey, api: "s3v4" } };
  return JSON.stringify({ version: "9", hosts });
}
