// The state of stacks deployed before this provider moved to providers/kasm names it by this path.
export { provider } from "../../providers/kasm/workspaceProvider";
