import { defaults } from "../components/defaults";
import { profilesDirectory } from "../components/hostDirectory";
import { profilePath } from "../components/tileDefaults";
import { buildsImage, namespace, type Settings } from "./index";

/** Whether people open the dashboard at addresses or names of the host, which the program can't know, and none is named. */
function needsOrigins({ publishAddresses, allowedOrigins }: Settings): boolean {
  const isInner = (address: string) =>
    address.startsWith("127.") ||
    (defaults.publishAddresses as readonly string[]).includes(address);
  return allowedOrigins.length === 0 && !publishAddresses.every(isInner);
}

/**
 * Whether desktops may start on several of KASM's agents while their homes are in a directory of one: without names of agents,
 * an image is pushed for those on other hosts only.
 */
function dividesProfiles(settings: Settings): boolean {
  const { kasmAgents, kasmImage, workspaces } = settings;
  const { desktop } = workspaces;
  return (
    desktop !== undefined &&
    (kasmImage.push !== undefined || kasmAgents.length > 0) &&
    desktop.serverId === undefined &&
    profilesDirectory(profilePath({ ...desktop, host: settings })) !== ""
  );
}

/** What a person still has to do before OpenClaw answers, a sentence for each; none where all is set. */
export function nextSteps(settings: Settings, stack: string): string[] {
  const option = stack === "dev" ? "" : ` --stack ${stack}`;
  const then = option && ` --${option}`;
  const hasKey = Object.keys(settings.providerKeys).length > 0;
  return [
    ...(hasKey
      ? []
      : [
          `Give OpenClaw an AI provider's key, without which it can't answer: npm run pulumi -- config set --secret --path '${namespace}:providerKeys.ANTHROPIC_API_KEY' --stack ${stack}, then npm run up${then}`,
        ]),
    ...(needsOrigins(settings)
      ? [
          `Opened by a host name, or by a public address that ${namespace}:publishAddresses does not name, the dashboard refuses browsers until ${namespace}:allowedOrigins has the origin: npm run pulumi -- config set --path '${namespace}:allowedOrigins[0]' http://NAME:${settings.port.toString()} --stack ${stack}, then npm run up${then}`,
        ]
      : []),
    ...(dividesProfiles(settings)
      ? [
          `If KASM has several agents, a user finds an empty OpenClaw when the session starts on another one: set ${namespace}:workspaces.desktop.persistentProfilePath to an address in a bucket, or serverId to one agent (docs/kasm.md#several-agents)`,
        ]
      : []),
    ...(buildsImage(settings)
      ? []
      : [
          `Let each new browser in once: open the dashboard with the gateway token, then npm run approve${then}`,
        ]),
  ];
}
