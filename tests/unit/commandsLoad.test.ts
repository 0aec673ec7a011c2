import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";

// Loading it takes a third of a second, and only the program that the engine starts needs it.
jest.mock("@pulumi/pulumi", () => {
  throw new Error("Pulumi's SDK is loaded");
});

const folder = resolve(__dirname, "../../cli");
const commands = readdirSync(folder).filter((file) => file.endsWith(".ts") && file !== "main.ts");

test.each(commands)("%s loads without Pulumi's SDK", async (file) => {
  await expect(import(join(folder, file))).resolves.toBeDefined();
});
