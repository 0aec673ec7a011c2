import { summarize } from "../../commands/recovery";

const container = "docker:index/container:Container";
const network = "docker:index/network:Network";

test("an empty stack has nothing", () => {
  expect(summarize({ deployment: { manifest: {} } })).toEqual({
    ids: [],
    unfinished: [],
    undo: [],
    interrupted: false,
  });
});

test("containers and networks are the stack's own by their ids, other resources are not of interest", () => {
  const resources = [
    { type: "pulumi:pulumi:Stack" },
    { type: container, id: "c1", inputs: { name: "openclaw" } },
    { type: network, id: "n1", inputs: { name: "openclaw-net" } },
    { type: "docker:index/volume:Volume", id: "v1" },
  ];

  expect(summarize({ deployment: { resources } })).toEqual({
    ids: ["c1", "n1"],
    unfinished: [],
    undo: [],
    interrupted: false,
  });
});

test("what an engine was making when it was killed, but for data", () => {
  const pending_operations = [
    { type: "creating", resource: { type: container, inputs: { name: "openclaw" } } },
    { type: "creating", resource: { type: "command:local:Command", inputs: {} } },
    {
      type: "creating",
      resource: {
        type: "pulumi-nodejs:dynamic/openclaw:HostState",
        inputs: { remove: ["sh", "-s", "--", "remove"], stdin: "script", expected: "x" },
      },
    },
    {
      type: "creating",
      resource: {
        type: "pulumi-nodejs:dynamic/openclaw:BaseImage",
        inputs: { remove: ["remove.sh", "base"], stdin: "", expected: "base" },
      },
    },
    {
      type: "creating",
      resource: {
        type: "pulumi-nodejs:dynamic/openclaw:DataDirectory",
        inputs: { remove: ["sh", "-s", "--", "remove"], stdin: "REMOVE_DATA='true'" },
      },
    },
    { type: "deleting", resource: { type: network, id: "n1", inputs: { name: "openclaw-net" } } },
  ];

  expect(summarize({ deployment: { resources: [], pending_operations } })).toEqual({
    ids: [],
    unfinished: [{ kind: "container", name: "openclaw" }],
    undo: [
      { command: ["sh", "-s", "--", "remove"], stdin: "script" },
      { command: ["remove.sh", "base"], stdin: "" },
    ],
    interrupted: true,
  });
});
