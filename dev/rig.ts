import { join, relative } from "node:path";
import { removeRig, type Rig, startRig } from "./rig/rig";
import { UserError } from "../host/userError";
import { progress } from "../host/terminal";

interface RigCommandOptions {
  readonly name: string;
  readonly sshPort: string;
  readonly httpsPort: string;
  readonly flavour: "static" | "rolling";
  readonly cores?: string;
}

/** `npm run rig`: starts a KASM-like server in a container of this machine's Docker; `npm run rig -- down` removes it. */
export async function rig(action: string, options: RigCommandOptions): Promise<void> {
  if (process.platform !== "linux") {
    throw new UserError(
      "A rig is a Linux host on this machine's kernel: it needs Linux, or a Linux VM.",
    );
  }
  if (!/^[a-z0-9][a-z0-9-]*$/.test(options.name)) {
    throw new UserError(`--name ${options.name}: only lower-case letters, digits and hyphens`);
  }
  if (action === "down") {
    await removeRig(options.name);
    progress(`Rig ${options.name} is gone`);
    return;
  }
  const started = await startRig({
    name: options.name,
    sshPort: port("--ssh-port", options.sshPort),
    httpsPort: port("--https-port", options.httpsPort),
    flavour: options.flavour,
    ...(options.cores !== undefined && { cores: cores(options.cores) }),
  });
  progress("Putting KASM's images of browser and desktop on it");
  await started.addChrome();
  await started.addCoreImage();
  console.log(summary(started));
}

function port(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 65535) {
    throw new UserError(`${option} ${text}: expected a port number`);
  }
  return number;
}

function cores(text: string): number {
  const number = Number(text);
  if (number % 8 !== 0 || number < 8 || number > 64) {
    throw new UserError(`--cores ${text}: expected a multiple of 8, up to 64`);
  }
  return number;
}

function summary(rig: Rig): string {
  const { name, sshPort, httpsPort, folder } = rig;
  const key = relative(process.cwd(), join(folder, "id_ed25519"));
  const ca = relative(process.cwd(), join(folder, "ca.pem"));
  const apiKey = relative(process.cwd(), join(folder, "api_key.json"));
  return [
    "",
    `Rig ${name} is up.`,
    `  KASM      https://127.0.0.1:${httpsPort}/ (certificate: ${ca})`,
    `  API key   ${apiKey}`,
    `  Settings  kasmDirectory ${rig.kasmDirectory}, kasmImage.baseImage ${rig.coreImage}`,
    `  SSH       ssh -i ${key} -p ${sshPort} kasm-admin@127.0.0.1`,
    "",
    "What next:",
    "  npm run up -- --stack rig    deploys to it",
    `  npm run rig -- down${name === "rig" ? "" : ` --name ${name}`}          takes it away`,
  ].join("\n");
}
