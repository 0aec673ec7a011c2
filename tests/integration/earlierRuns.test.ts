import { $ } from "zx";
import { docker, dockerInventory, removeEarlierRuns } from "../support/docker";

const prefix = "openclaw-e2e-earlier";
const image = "openclaw-kasm-earlier:empty";

afterAll(async () => {
  await removeEarlierRuns(new RegExp(`^${prefix}`));
  await docker("image", "rm", image);
});

test("removes only the leftovers of killed runs", async () => {
  await $({ quiet: true })`tar --create --files-from /dev/null | docker import - ${image}`;
  for (const name of [`${prefix}-left`, `${prefix}-kept`]) {
    await docker("network", "create", name);
    await docker("volume", "create", name);
    const uses = ["--network", name, "--volume", `${name}:/data`];
    await docker("create", "--name", name, ...uses, "--restart", "always", image, "/start");
  }

  await removeEarlierRuns(new RegExp(`^${prefix}-left$`));

  expect(await dockerInventory(prefix, "earlier")).toEqual([
    `container ${prefix}-kept`,
    `network ${prefix}-kept`,
    `volume ${prefix}-kept`,
    `image ${image}`,
  ]);
});
