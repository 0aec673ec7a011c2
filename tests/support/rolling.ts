// Loaded before the test files of Jest's project e2e-rolling: the rigs of workerRig.ts are of that kind.
process.env.OPENCLAW_RIG_FLAVOUR = "rolling";
