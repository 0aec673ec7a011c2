import { $ } from "zx";
import { docker } from "./docker";

/** Expects that the image of a gateway's container keeps its contract (assets/gateway-image/README.md). */
export async function expectContract(container: string): Promise<void> {
  const image = await docker("inspect", "--format", "{{.Image}}", container);
  const contract = await $({
    quiet: true,
    nothrow: true,
  })`bash tests/image/gateway-image.sh ${image}`;

  expect(contract.stdout.match(/^not ok .*(\n# .*)*/gm) ?? []).toEqual([]);
  expect(contract.stdout.match(/^ok /gm)?.length).toBeGreaterThan(30);
  expect(contract.exitCode).toBe(0);
}
