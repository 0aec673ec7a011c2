import { execFileSync } from "node:child_process";
import * as pulumi from "@pulumi/pulumi";
import { lateProvider } from "../../../providers/lateProvider";

const file = "./providers/kasm/workspaceProvider.ts";

/** What Pulumi stores with each resource. */
async function stored(): Promise<string> {
  const provider = lateProvider(file);
  return (await pulumi.runtime.serializeFunction(() => provider)).text;
}

test("the provider's code is not stored with a resource", async () => {
  const text = await stored();

  expect(text.length).toBeLessThan(4000);
  expect(text).toContain(file);
  for (const name of ["KasmClient", "create_image", "undici", "zod"]) {
    expect(text).not.toContain(name);
  }
});

test("the stored function loads the code in a plain Node, as the engine starts it", async () => {
  const host = `
    const provider = require("require-from-string")(${JSON.stringify(await stored())}).handler();
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
