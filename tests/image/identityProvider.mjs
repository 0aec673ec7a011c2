// An identity provider: oidc-provider, a certified implementation of OpenID Connect, with people of its own; tests
// change their groups. PUT /people/NAME with a list of groups, or with null for a person who is gone.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import https from "node:https";
import { pathToFileURL } from "node:url";

const { library, issuer, key, certificate, clientSecret, redirects, logouts, people } = JSON.parse(
  readFileSync(0, "utf8"),
);
const { Provider } = await import(
  pathToFileURL(createRequire(`${library}/`).resolve("oidc-provider"))
);

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "openclaw",
      client_secret: clientSecret,
      redirect_uris: redirects,
      post_logout_redirect_uris: logouts,
      grant_types: ["authorization_code", "refresh_token"],
    },
  ],
  scopes: ["openid", "email", "profile", "groups"],
  claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
  // The shortest that the door asks for anew in good time.
  ttl: {
    AccessToken: 90,
    IdToken: 90,
    RefreshToken: 3600,
    Session: 3600,
    Grant: 3600,
    Interaction: 600,
  },
  issueRefreshToken: () => true,
  cookies: { keys: ["a key"] },
  findAccount: (_, name) =>
    people[name] && {
      accountId: name,
      claims: () => ({
        sub: name,
        email: `${name}@example.com`,
        email_verified: true,
        groups: people[name],
      }),
    },
});
const answer = provider.callback();
const { hostname, port } = new URL(issuer);
https
  .createServer({ key, cert: certificate }, (request, response) => {
    const [, name] = /^\/people\/(\w+)$/.exec(request.url) ?? [];
    if (request.method !== "PUT" || name === undefined) {
      answer(request, response);
      return;
    }
    let text = "";
    request.on("data", (chunk) => (text += chunk));
    request.on("end", () => {
      people[name] = JSON.parse(text);
      response.end();
    });
  })
  .listen(Number(port), hostname, () => process.stdout.write("listening\n"));
