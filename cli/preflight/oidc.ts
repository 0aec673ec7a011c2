import { readFileSync } from "node:fs";
import { rootCertificates } from "node:tls";
import { Agent, fetch, ProxyAgent } from "undici";
import { z } from "zod";
import { namespace, type Settings } from "../../config";
import { fromHome } from "../../host/files";
import { proxyFor } from "../../host/proxy";
import { progress } from "../../host/terminal";
import { UserError } from "../../host/userError";

/** What a provider says of itself, as far as the gateway's door needs it. */
const metadata = z.object({
  issuer: z.string(),
  authorization_endpoint: z.string(),
  token_endpoint: z.string(),
  userinfo_endpoint: z.string(),
  scopes_supported: z.array(z.string()).optional(),
});

/**
 * Fails before anything is changed if the provider of the organisation's login is not what the settings name. One that only
 * the gateway's host can reach is checked after the deployment.
 */
export async function checkOidc({ oidc, extraCaFile }: Settings): Promise<void> {
  if (oidc === undefined) {
    return;
  }
  const { issuer, scopes } = oidc;
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  progress(`Asking ${issuer} how it lets people log in`);
  const answer = await ask(url, extraCaFile);
  if (answer === undefined) {
    progress("It does not answer this machine; the gateway's host may reach it");
    return;
  }
  const known = metadata.safeParse(answer.body);
  if (!known.success) {
    throw refused(
      "issuer",
      `${url} answers ${answer.status.toString()} and not as OpenID Connect has it`,
    );
  }
  if (known.data.issuer !== issuer) {
    throw refused("issuer", `found ${issuer}; expected ${known.data.issuer}, as it calls itself`);
  }
  const unknown = scopes.filter((scope) => known.data.scopes_supported?.includes(scope) === false);
  if (unknown.length > 0) {
    throw refused(
      "scopes",
      `found ${unknown.join(", ")}; expected some of ${known.data.scopes_supported?.join(", ") ?? ""}`,
    );
  }
}

function refused(key: string, problem: string): UserError {
  return new UserError(`${namespace}:oidc.${key}: ${problem}`);
}

async function ask(
  url: string,
  extraCaFile: string,
): Promise<{ status: number; body: unknown } | undefined> {
  const ca = extraCaFile && [...rootCertificates, readFileSync(fromHome(extraCaFile), "utf8")];
  const tls = ca ? { ca } : {};
  const proxy = proxyFor(new URL(url));
  const dispatcher = proxy
    ? new ProxyAgent({ uri: proxy.href, requestTls: tls })
    : new Agent({ connect: tls });
  try {
    const answer = await fetch(url, { dispatcher, signal: AbortSignal.timeout(15_000) });
    const text = await answer.text();
    return { status: answer.status, body: asJson(text) };
  } catch {
    return undefined;
  } finally {
    await dispatcher.destroy();
  }
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
