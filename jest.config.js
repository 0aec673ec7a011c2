// Published as ES modules only, which Jest takes in no other way.
const esModules = "(age-encryption|@noble|@scure)/";

const shared = {
  preset: "ts-jest",
  testEnvironment: "node",
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

/** Types are checked by `npm run types`; ts-jest only strips them. */
module.exports = {
  projects: [
    { ...shared, displayName: "unit", testMatch: ["<rootDir>/tests/unit/**/*.test.ts"] },
    {
      ...shared,
      displayName: "engine",
      testMatch: ["<rootDir>/tests/engine/**/*.test.ts"],
    },
    { ...shared, displayName: "e2e", testMatch: ["<rootDir>/tests/e2e/**/*.test.ts"] },
  ],
};
