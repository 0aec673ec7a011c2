import { execFileSync } from "node:child_process";
import { providerText } from "../../../providers/lateResource";

const file = "./providers/kasm/workspaceProvider.ts";

/** What Pulumi stores with each resource. */
const stored = providerText(file);

test("the provider's code is not stored with a resource", () => {
  expect(stored).toContain(file);
  for (const name of ["KasmClient", "create_image", "undici", "zod"]) {
    expect(stored).not.toContain(name);
  }
});

test("the stored function loads the code in a plain Node, as the engine starts it", () => {
  const host = `
    const provider = require("require-from-string")(${JSON.stringify(stored)}).handler();
    const inputs = { imageType: "Link", runConfig: {}, persistentProfilePath: "/x", volumeMappings: {} };
    provider.check({}, inputs).then((result) => console.log(JSON.stringify(result)));
  `;
  const output = execFileSync(process.execPath, ["--eval", host], {
    encoding: "utf8",
    env: { PATH: process.env.PATH },
  });

  expect(JSON.parse(output)).toMatchObject({
    inputs: { imageType: "Link", available: false },
    failures: [{ reason: expect.stringContaining("persistentProfilePath") as string }],
  });
});
