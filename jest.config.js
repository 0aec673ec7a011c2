// Published as ES modules only, which Jest takes in no other way.
const esModules = "(age-encryption|@noble|@scure)/";

const shared = {
  preset: "ts-jest",
  testEnvironment: "node",
  // Both images have their own copy of one package.
  modulePathIgnorePatterns: ["<rootDir>/assets/.*-image/openclaw/"],
  transformIgnorePatterns: [`/node_modules/(?!.*${esModules})`],
  transform: {
    [`\\.ts$|/node_modules/.*${esModules}.+\\.js$`]: [
      "ts-jest",
      {
        diagnostics: false,
        tsconfig: {
          module: "commonjs",
          moduleResolution: "node10",
          target: "ES2022",
          isolatedModules: true,
          esModuleInterop: true,
          allowJs: true,
        },
      },
    ],
  },
};

// A server of KASM's is of the older kind (dev/rig/README.md) but for these files.
const onlyOnNewer = ["plans", "rigWorkspaces", "signOnBehindKasm", "tiles"];
const onBoth = ["kasmAnew", "rig"];
const files = (names) => names.map((name) => `/tests/e2e/${name}\\.test\\.ts$`);

/** Types are checked by `npm run types`; ts-jest only strips them. */
module.exports = {
  // Only ends what hangs: processes take their time on a busy machine.
  testTimeout: 60_000,
  testSequencer: "./tests/longestFirst.cjs",
  projects: [
    ...["unit", "scripts", "integration", "e2e"].map((name) => ({
      ...shared,
      displayName: name,
      testMatch: [`<rootDir>/tests/${name}/**/*.test.ts`],
      testPathIgnorePatterns: name === "e2e" ? files(onlyOnNewer) : [],
    })),
    {
      ...shared,
      displayName: "e2e-rolling",
      testRegex: files([...onBoth, ...onlyOnNewer]),
      setupFiles: ["<rootDir>/tests/support/rolling.ts"],
    },
  ],
};
