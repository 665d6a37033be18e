export default {
  api: {
    input: process.env.DOCUMENT,
    output: { target: `${process.env.OUTPUT}/api.ts`, client: "fetch", mode: "split" },
  },
};
