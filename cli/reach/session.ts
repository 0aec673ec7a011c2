import { sessionUrl } from "../../components/gateway/container";
import { namespace, type Settings } from "../../config";
import { isOnKasmsHost } from "../../config/host";
import { opensSessionHost } from "../../config/route";
import type { Look } from "../../host/run";
import { defaults } from "../../components/defaults";
import type { HostFacts } from "../preflight/host";
import type { Check } from "../status";

/** The dashboard's login; no password if none is known. */
export interface Login {
  readonly username: string;
  readonly password: string;
}

/** A gateway that sessions are to reach. */
export interface ReachedGateway {
  readonly settings: Settings;
  readonly login: Login;
}

/** How a session asks. */
export interface SessionOptions {
  /** Seconds that each question may take. */
  readonly seconds: number;
  /** Seconds for the WebSocket, which takes all of them if it is accepted. */
  readonly socketSeconds: number;
}

/** What assets/host/reach.sh is asked about a gateway. */
interface SessionLooks {
  readonly session: Look;
  /** The look that tells which certificate KASM's nginx shows for it: each is asked for once. */
  readonly certificate: Look;
}

/** Returns gateways with what assets/host/reach.sh is asked about them. */
export function withSessionLooks<G extends ReachedGateway>(
  gateways: readonly G[],
  options: SessionOptions,
): (G & SessionLooks)[] {
  const asked = new Map<string, Look>();
  return gateways.map((gateway) => {
    const name = certificateName(gateway.settings);
    const known = asked.get(name);
    const session = sessionLook(gateway, options, known === undefined);
    const certificate = known ?? session;
    asked.set(name, certificate);
    return { ...gateway, session, certificate };
  });
}

/** Host name for which KASM's nginx shows the certificate of a gateway's address; nothing for its own. */
function certificateName({ nginxRoute }: Settings): string {
  return nginxRoute.mode === "serverName" ? (nginxRoute.serverName ?? "") : "";
}

function sessionLook(
  { settings, login }: ReachedGateway,
  { seconds, socketSeconds }: SessionOptions,
  asksForCertificate: boolean,
): Look {
  const { nginxRoute, containerName, port, basePath } = settings;
  const isHere = isOnKasmsHost(settings);
  return {
    script: "reach.sh",
    containers: isHere ? [containerName] : [],
    variables: {
      PROXY: nginxRoute.proxyContainer,
      PORT: port.toString(),
      BASE_PATH: basePath,
      USERNAME: login.username,
      // Without one only KASM itself is asked: to gateways on other hosts its sessions go by the route.
      PASSWORD: isHere ? login.password : "",
      CERTIFICATE: asksForCertificate ? "ask" : "",
      CERTIFICATE_NAME: certificateName(settings),
      PATIENCE: seconds.toString(),
      SOCKET_PATIENCE: socketSeconds.toString(),
    },
    // To enter the network of another container.
    asRoot: true,
  };
}

/** The certificate that KASM's nginx shows on the server itself, as its SHA-256; undefined if it could not be asked. */
export function ownCertificate(facts: HostFacts): string | undefined {
  return facts.get("certificate")?.[0];
}

/**
 * Judges whether KASM's sessions reach the dashboard; undefined if none is to.
 * @param facts what assets/host/reach.sh printed
 */
export function sessionCheck(
  settings: Settings,
  facts: HostFacts,
  seconds: number,
): Check | undefined {
  if (!isOnKasmsHost(settings)) {
    return undefined;
  }
  const first = (name: string) => facts.get(name)?.[0];
  const { publishAddresses, workspaces, nginxRoute, port } = settings;
  const { proxyContainer } = nginxRoute;
  const hasTile =
    workspaces.browser !== undefined &&
    workspaces.browser.address === undefined &&
    opensSessionHost(settings);
  const proxy = first("proxy");
  const address = first("sessionAddress") ?? "";
  const isPublished = [address, "0.0.0.0"].some((each) => publishAddresses.includes(each));
  const asked = sessionUrl(settings);
  const check = (isGood: boolean, value: string): Check => ({
    name: "KASM's sessions",
    value,
    state: isGood ? "ok" : "bad",
  });
  if (proxy === undefined) {
    return check(false, "not known: Docker does not answer");
  }
  if (proxy !== "running") {
    return hasTile
      ? check(
          false,
          `${asked} can't be asked from KASM's network: container ${proxyContainer} is ${proxy}; start KASM, or set ${namespace}:nginxRoute.proxyContainer to the name of its proxy`,
        )
      : undefined;
  }
  if (first("session") === "refused") {
    return hasTile
      ? check(false, `${asked} can't be asked from KASM's network: only root can; run this as root`)
      : undefined;
  }
  if (!isPublished && !hasTile) {
    return undefined;
  }
  const answer = sessionAnswer(first("sessionPage"), first("sessionSocket"), seconds);
  if (answer === undefined) {
    return check(true, `reach ${asked} and its WebSocket`);
  }
  const from = `asked from KASM's network (container ${proxyContainer})`;
  const todo = isPublished
    ? hint(answer, port, address, first("sessionSubnet") ?? "")
    : `add ${address} to ${namespace}:publishAddresses`;
  return check(false, `${asked} (${address}), ${from}: ${answer}; ${todo}`);
}

/** What is wrong with the answers to a session; undefined if nothing is. */
function sessionAnswer(
  page: string | undefined,
  webSocket: string | undefined,
  seconds: number,
): string | undefined {
  const told = (answer = "curl 28") => {
    switch (answer) {
      case "curl 28":
        return `no answer within ${seconds.toString()} s`;
      case "curl 7":
        return "connection refused";
      default:
        return answer.startsWith("curl ")
          ? `no answer (exit status ${answer.slice(5)} of curl)`
          : `answers ${answer}`;
    }
  };
  if (page !== "opens") {
    return told(page);
  }
  return webSocket === "101" ? undefined : `the page opens, and its WebSocket: ${told(webSocket)}`;
}

function hint(answer: string, port: number, address: string, subnet: string): string {
  if (/^(no answer|connection refused)/.test(answer)) {
    const own = (defaults.publishAddresses as readonly string[]).includes(address)
      ? `; if no session is to open it, take ${address} out of ${namespace}:publishAddresses`
      : "";
    return `if the gateway runs, the server's firewall blocks it: allow TCP port ${port.toString()} from ${subnet}, with ufw: ufw allow from ${subnet} to any port ${port.toString()} proto tcp${own}`;
  }
  return "npm run up repairs login and origins; if that does not help, npm run logs has the cause";
}
