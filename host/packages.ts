import { $ } from "./shellCommand";
import { UserError } from "./userError";
import { progress } from "./terminal";
import { readIfThere } from "./files";

/** Whether this user may install Debian packages on this machine. */
export function installsPackages(): boolean {
  return (
    process.getuid?.() === 0 &&
    /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readIfThere("/etc/os-release") ?? "")
  );
}

/**
 * Makes sure that commands are on this machine.
 * @param packages the Debian package of each command
 * @throws UserError that names the missing commands where they can't be installed
 */
export async function ensureDebianPackages(
  packages: Readonly<Record<string, string>>,
): Promise<void> {
  const missing: string[] = [];
  for (const command of Object.keys(packages)) {
    if ((await $({ quiet: true, nothrow: true })`command -v ${command}`).exitCode !== 0) {
      missing.push(command);
    }
  }
  if (missing.length === 0) {
    return;
  }
  if (!installsPackages()) {
    throw new UserError(`These commands are needed and not on this machine: ${missing.join(", ")}`);
  }
  progress(`Installing ${missing.join(", ")} from Debian's packages`);
  const apt = { quiet: true, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
  await $(apt)`apt-get -q update`;
  const names = missing.map((command) => packages[command] ?? command);
  await $(
    apt,
  )`apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends ${names} ca-certificates`;
}
