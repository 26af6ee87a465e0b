// A generator of ours, drawn by the kernels of this page.

begin((model) => new Generator(model, byId("numbers").textContent));
