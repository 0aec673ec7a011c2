import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scriptWith } from "../../host/shell";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kasm-image-"));
  writeFileSync(join(folder, "latest-label"), "dev/openclaw-kasm\n");
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/**
 * Docker with images, a line `id name` for each name, and a dash for none; all of them carry the stack's label, as one
 * that was built on another inherits it. `users` are containers, a line `id name` each.
 */
const docker = `#!/bin/sh
cd "\${0%/*}"
case "$*" in
  *'{{with .Config.Labels}}'*) cat latest-label ;;
  *'{{.Id}}'*) awk -v it="$5" '$1 == it || $2 == it { print $1; found = 1; exit } END { exit !found }' images ;;
  *.RepoTags*) awk -v id="$5" '$1 == id && $2 != "-" { printf "%s ", $2 }' images ;;
  'image ls '*'label=stack=dev/openclaw-kasm') cut -d ' ' -f 1 images ;;
  'ps --all '*'{{.ID}}') awk -v id="\${4#ancestor=}" '$1 == id { print $2 }' users ;;
  'image tag '*)
    id=$(awk -v name="$3" '$2 == name { print $1 }' images)
    awk -v name="$4" '$2 != name' images >next
    echo "$id $4" >>next
    mv next images ;;
  'image rm '*)
    shift 2
    for each; do awk -v it="$each" '$2 != it && !($1 == it && $2 == "-")' images >next && mv next images; done ;;
  *) exit 9 ;;
esac
`;

function run(
  action: string,
  { images, users = [], pushed = "" }: { images: string[]; users?: string[]; pushed?: string },
) {
  writeFileSync(join(folder, "docker"), docker, { mode: 0o755 });
  writeFileSync(join(folder, "images"), images.map((line) => `${line}\n`).join(""));
  writeFileSync(join(folder, "users"), users.map((line) => `${line}\n`).join(""));
  const { status, stdout, stderr } = spawnSync("sh", ["-s", "--", action], {
    input: scriptWith("kasm-image.sh", {
      IMAGE: "openclaw-kasm:2-b",
      LATEST: "openclaw-kasm:latest",
      PUSHED: pushed,
      LABEL: "stack=dev/openclaw-kasm",
    }),
    env: { ...process.env, PATH: `${folder}:${process.env.PATH ?? ""}` },
    encoding: "utf8",
  });
  const left = readFileSync(join(folder, "images"), "utf8").split("\n").filter(Boolean).sort();
  return { status, stdout, stderr, left };
}

const well = "image: there; latest: this one\n";

test("apply adds the image's names and removes older ones", () => {
  const images = [
    "new openclaw-kasm:2-b",
    "old openclaw-kasm:1-a",
    "old openclaw-kasm:latest",
    "older -",
  ];

  expect(run("apply", { images })).toEqual({
    status: 0,
    stdout: well,
    stderr: "",
    left: ["new openclaw-kasm:2-b", "new openclaw-kasm:latest"],
  });
});

test.each([
  ["of another stack", "theirs/openclaw-kasm\n", "is of stack theirs"],
  ["that names no stack", "\n", "was not created by this stack"],
])("apply keeps the name of an image %s", (_, label, reason) => {
  const images = ["new openclaw-kasm:2-b", "old openclaw-kasm:latest"];
  writeFileSync(join(folder, "latest-label"), label);

  expect(run("apply", { images })).toMatchObject({
    status: 1,
    stderr: `The image openclaw-kasm:latest ${reason}: change openclaw:kasmImage.name\n`,
    left: images,
  });
});

test("a second apply changes nothing", () => {
  const images = ["new openclaw-kasm:2-b", "new openclaw-kasm:latest"];

  expect(run("apply", { images })).toEqual({ status: 0, stdout: well, stderr: "", left: images });
});

test("names an image for its registry, and removes older names", () => {
  const images = [
    "new openclaw-kasm:2-b",
    "old openclaw-kasm:1-a",
    "old r.example.com/team/openclaw-kasm:1-a",
  ];

  expect(run("apply", { images, pushed: "r.example.com/team/openclaw-kasm:2-b" }).left).toEqual([
    "new openclaw-kasm:2-b",
    "new openclaw-kasm:latest",
    "new r.example.com/team/openclaw-kasm:2-b",
  ]);
});

test("keeps an image that a container uses and says how to remove it, without names of KASM's users", () => {
  const images = ["new openclaw-kasm:2-b", "old openclaw-kasm:1-a"];
  const { status, stderr, left } = run("apply", {
    images,
    users: ["old 0123456789ab", "old ba9876543210"],
  });

  expect(status).toBe(0);
  expect(left).toContain("old openclaw-kasm:1-a");
  expect(stderr).toBe(
    "The image openclaw-kasm:1-a is kept, because these containers still use it: 0123456789ab ba9876543210 \n" +
      "Once they are gone: docker image rm openclaw-kasm:1-a \n",
  );
});

test.each(["apply", "remove"])(
  "%s keeps images of other programs that are built on this one, or are another name of it",
  (action) => {
    const theirs = ["old mine:1", "theirs team/desktop:1"];
    const { status, stderr, left } = run(action, {
      images: ["new openclaw-kasm:2-b", "old openclaw-kasm:1-a", ...theirs],
    });

    expect([status, stderr]).toEqual([0, ""]);
    expect(left.filter((line) => !line.startsWith("new "))).toEqual(theirs);
  },
);

test("remove deletes all of the stack's images, and can be repeated", () => {
  const images = ["new openclaw-kasm:2-b", "new openclaw-kasm:latest", "old openclaw-kasm:1-a"];

  expect(run("remove", { images })).toEqual({ status: 0, stdout: "", stderr: "", left: [] });
  expect(run("remove", { images: [] })).toEqual({ status: 0, stdout: "", stderr: "", left: [] });
});

test.each([
  ["all is well", ["new openclaw-kasm:2-b", "new openclaw-kasm:latest"], "", well],
  [
    "latest is another",
    ["new openclaw-kasm:2-b", "old openclaw-kasm:latest"],
    "",
    "image: there; latest: not this one\n",
  ],
  ["the image is gone", ["old openclaw-kasm:latest"], "", "image: ; latest: not this one\n"],
  [
    "the registry's name is missing",
    ["new openclaw-kasm:2-b", "new openclaw-kasm:latest"],
    "r/openclaw-kasm:2-b",
    "image: there; latest: not this one\n",
  ],
])("look reports that %s", (_, images, pushed, said) => {
  expect(run("look", { images, pushed }).stdout).toBe(said);
});
