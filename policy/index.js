/* global require */
// Pulumi would have ts-node compile the pack, types checked, at each preview; tsx is what the program itself runs under.
require("tsx/cjs");
require("./pack");
