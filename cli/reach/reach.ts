import { setTimeout as sleep } from "node:timers/promises";
import { type Look, lookOnHost } from "../../host/run";
import type { HostTarget } from "../../host/target";
import { progress } from "../../host/terminal";
import { parseFacts } from "../preflight/host";
import type { Check } from "../status";
import { browserCheck, seeByBrowser } from "./browser";
import { ownCertificate, type ReachedGateway, sessionCheck, withSessionLooks } from "./session";

/**
 * Seconds that a question and a WebSocket may take, in one attempt after the other: an accepted WebSocket takes all of its
 * time, and a busy server needs more.
 */
const attempts = [
  { seconds: 2, socketSeconds: 0.3 },
  { seconds: 5, socketSeconds: 2 },
  { seconds: 10, socketSeconds: 5 },
];

/**
 * Asks for dashboards as KASM's sessions and people's browsers do.
 * @returns what is wrong, if it stays wrong
 */
export async function reachProblems(
  target: HostTarget,
  gateways: readonly ReachedGateway[],
): Promise<string[]> {
  let problems: string[] = [];
  for (const [index, attempt] of attempts.entries()) {
    if (index > 0) {
      progress(`Asking again: ${problems.join(" ")}`);
      await sleep(1000);
    }
    const checks = await reachChecks(target, gateways, attempt);
    problems = checks.filter(({ state }) => state === "bad").map(({ value }) => value);
    if (problems.length === 0) {
      break;
    }
  }
  return problems;
}

async function reachChecks(
  target: HostTarget,
  gateways: readonly ReachedGateway[],
  { seconds, socketSeconds }: (typeof attempts)[number],
): Promise<Check[]> {
  const reached = withSessionLooks(gateways, { seconds, socketSeconds });
  const looks = reached.map(({ session }) => session);
  // Docker is asked before and takes its own time.
  const asked = lookOnHost(target, looks, seconds + socketSeconds + 5);
  const factsOf = async (look: Look) => parseFacts((await asked).said[looks.indexOf(look)] ?? "");
  const checks = reached.map(async ({ settings, login, session: look, certificate }) => {
    const seen = await seeByBrowser(settings, {
      login,
      seconds,
      ownCertificate: factsOf(certificate).then(ownCertificate),
    });
    const session = sessionCheck(settings, await factsOf(look), Math.max(seconds, socketSeconds));
    return [
      ...(session === undefined ? [] : [session]),
      ...(seen === undefined ? [] : [browserCheck(settings, seen)]),
    ];
  });
  return (await Promise.all(checks)).flat();
}
