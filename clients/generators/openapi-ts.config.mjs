export default {
  input: process.env.DOCUMENT,
  output: process.env.OUTPUT,
  plugins: ["@hey-api/typescript", "@hey-api/sdk", "@hey-api/client-fetch", "zod"],
};
