import type { Browser } from "playwright-core";
import { launchBrowser } from "../support/browser";
import {
  clientSecret,
  type IdentityProvider,
  startIdentityProvider,
} from "../support/identityProvider";
import { localSettings, setUpStack } from "../support/localGateway";
import { outcome, Project } from "../support/project";
import type { Provider } from "../support/provider";
import { expectTwoSessions } from "../support/signOn";

jest.setTimeout(10 * 60_000);

// Two gateways on one host name differ in their ports, which cookies do not heed.
const stack = "oidc-two";
const prefix = "openclaw-e2e-oidc-two";
const ports = [18188, 18189];
const [one = "", two = ""] = ports.map((port) => `http://127.0.0.1:${port.toString()}`);
const settings = localSettings(prefix, ports[0] ?? 0);

const project = new Project();
let provider: Provider;
let idp: IdentityProvider;
let browser: Browser;

beforeAll(async () => {
  provider = await setUpStack(project, "light", stack, settings);
  idp = await startIdentityProvider(project.folder, 19445, [one, two], { ann: ["staff"] });
  project.settings(stack, {
    ...settings,
    instances: ["one", "two"],
    extraCaFile: idp.caFile,
    oidc: {
      issuer: idp.issuer,
      clientId: "openclaw",
      scopes: ["openid", "email", "groups"],
      groups: [{ group: "staff", role: "member" }],
    },
  });
  await project.setSecret(stack, "oidcClientSecret", clientSecret);
  expect(outcome(await project.run("up", "--stack", stack))).toBe("ok");
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser.close();
  await project.run("down", "--delete-data", "--stack", stack);
  project.remove();
  idp.stop();
  provider.stop();
});

test("a person can use two gateways on one host name in one browser", async () => {
  await expectTwoSessions(browser, [one, two], "ann");
});
