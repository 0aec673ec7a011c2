import { parseFacts } from "../../cli/preflight/host";
import { imageChecks, imagesLook, newerCheck } from "../../cli/preflight/imageChecks";
import type { StackState } from "../../pulumi/stackState";

const images: StackState["images"] = [
  { kind: "gateway", id: "sha256:aa", host: "" },
  { kind: "desktop", id: "sha256:bb", host: "" },
];
const daysAgo = (count: number) => new Date(Date.now() - count * 86_400_000).toISOString();

test("inspects a stack's images by their ids", () => {
  expect(imagesLook({ images }).variables).toEqual({
    IMAGES: "gateway sha256:aa\ndesktop sha256:bb",
  });
});

describe("the age of an image", () => {
  const check = (days: number, maxDays: number) => {
    const facts = parseFacts(`image=gateway\t${daysAgo(days)}\n`);
    return imageChecks({ images }, facts, maxDays)[0];
  };

  test("is shown in days", () => {
    expect(check(9, 0)).toEqual({
      name: "gateway image",
      value: `packages of ${daysAgo(9).slice(0, 10)}, 9 days old`,
      state: "info",
    });
  });

  test("is compared with openclaw:maxImageDays", () => {
    expect(check(30, 30)?.state).toBe("ok");
    expect(check(31, 30)).toMatchObject({
      state: "bad",
      value: expect.stringMatching(/31 days old; openclaw:maxImageDays is 30$/) as string,
    });
  });

  test("is unknown if Docker does not report it, which is no failure", () => {
    expect(imageChecks({ images }, parseFacts(""), 30)).toEqual([
      { name: "gateway image", value: "age not known", state: "info" },
      { name: "desktop image", value: "age not known", state: "info" },
    ]);
  });
});

test.each<[string, Record<string, string> | undefined, string]>([
  ["2026.9.6", { latest: "2026.9.6" }, "none"],
  [
    "2026.9.6",
    { latest: "2026.11.2", "extended-stable": "2026.9.37" },
    "2026.11.2 (latest), 2026.9.37 (extended-stable)",
  ],
  ["2026.10.6", { latest: "2026.11.2", "extended-stable": "2026.9.37" }, "2026.11.2 (latest)"],
  ["2026.9.6", {}, "none"],
  ["2026.9.6", undefined, "not known: the npm registry does not answer"],
])("beside OpenClaw %s with the tags %j the newer one is: %s", (openclawVersion, tags, value) => {
  const found = tags && new Map(Object.entries(tags));

  expect(newerCheck({ gatewayImage: "build", openclawVersion }, found)).toEqual({
    name: "newer OpenClaw",
    value,
    state: "info",
  });
  const pulled = `coollabsio/openclaw:${openclawVersion}`;
  expect(newerCheck({ gatewayImage: pulled, openclawVersion: "" }, found).value).toBe(value);
});

test("for an image with a digest, shows the published versions", () => {
  const gatewayImage = `coollabsio/openclaw@sha256:${"0".repeat(64)}`;
  const tags = new Map([["latest", "2026.11.2"]]);

  expect(newerCheck({ gatewayImage, openclawVersion: "" }, tags).value).toBe(
    `not known for ${gatewayImage}; published: 2026.11.2 (latest)`,
  );
});
