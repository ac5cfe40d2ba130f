"""Texts that mean something to Hydra, OmegaConf, YAML, argparse, a shell, a terminal or a file system."""

HOSTILE = [
    "", " ", "$", "$x$", r"$\frac$", "${", "${}", "${nothing}", "${seed}", "${oc.env:NOTHING}", "${oc.env:HOME}", "${now:%Y}",
    "${oc.decode:1}", "${hydra:job.name}", "???", "null", "nan", "[", "]", "{", "}", "(", ")", "[1", "{a:1", "a:b", "a: b", "a,b",
    ",", "=", "a=b", "'", '"', "''", "'a", "\\", "\\n", "a\\", "#", "~", "~nobody/x", "-", "--", "-1", "+1", "@", "%s", "{0}", "{{7*7}}",
    "!!python/object:os.system", "&a", "*a", "<script>", "=1+1", "\t", "\n", "\r", "two\nlines", "\x1b[31mred", "\x07", "\x7f", "\x85",
    "\u2028", "\u202eleft", "é", "e\u0301", "中文", "שלום", "😀", "\udcff", "\ufeff", "x" * 300, "x" * 5000, "../x", "a/b", ".", "..",
    "range(3)", "range(0,1,0)", "range(3,1)", "choice(1,2)", "choice()", "interval(0,1)", "glob(*)", "glob(x*)", "glob()", "sort(2,1)",
    "shuffle(1,2)", "tag(a,1)", "int(x)", "float(nan)", "bool(2)", "str(1)", "json_str('{')", "extend_list(1)", "nothing(1)", "range(1,",
]  # fmt: skip
FLAGS = [
    "-m", "--multirun", "--cfg", "--cfg=job", "--cfg=all", "--cfg=x", "--info", "--info=plugins", "--resolve", "-p", "--package=data",
    "--help", "-h", "--hydra-help", "--version", "--run", "-r", "-x", "-", "--", "--epochs=3", "--config-dir", "--config-dir=.",
    "--config-dir=nowhere", "--config-name=x", "--config-path=.", "-cd", "-cn", "--shell-completion", "--experimental-rerun=x", "-mx",
    "--Multirun", "-1", "--=", "-m=1", "--cfg job", "-c", "--experimental-rerun",
]  # fmt: skip
SYNTAX = [
    "", " ", "=", "=1", "a", "epochs", "epochs=", "epochs==1", "epochs =1", " epochs=1", "epochs= 1", "epochs=1 ", "+epochs=1", "++epochs=1",
    "++new=1", "+new=1", "new=1", "~epochs", "~epochs=1", "~epochs=2", "~new", "~latent", "~latent=gaussian", "~data", "~latent.code_size",
    "~hydra.callbacks", "~hydra", "epochs@a=1", "latent@data=bernoulli", "latent@_global_=bernoulli", "+latent@x=bernoulli", "latent.=1",
    ".latent=1", "latent..code_size=2", "latent[code_size]=2", "data.rectangle_height.0=3", "data.rectangle_height[0]=3", "latent={a:1}",
    "latent=null", "latent=[gaussian,bernoulli]", "latent=", "latent='gaussian'", "latent=Gaussian", "latent=gaussian.yaml", "latent=../data/mnist",
    "latent.name=x", "latent._target_=os.system", "latent._target_=null", "latent._convert_=all", "+latent._args_=[1]", "latent=1",
    "data=mnist/x", "experiment=nothing", "experiment=iceberg,x", "resume=nowhere", "resume=", "+resume=run", "resume=.", "resume=null",
    "defaults=[]", "+defaults=[]", "hydra=x", "hydra/launcher=nothing", "hydra/launcher=packed", "hydra/sweeper=x", "hydra/job_logging=x",
    "hydra/job_logging=default", "hydra.job.chdir=true", "hydra.output_subdir=x", "hydra.verbose=true", "hydra.verbose=[x]", "hydra.run.dir=",
    "hydra.run.dir=here/a=b", "hydra.run.dir=images.npz", "hydra.run.dir=images.npz/x", "hydra.run.dir=.", "hydra.run.dir=null", "hydra.run.dir=[1]",
    "hydra.run.dir=${nothing}", "hydra.run.dir=run", "hydra.sweep.dir=swept", "hydra.sweep.subdir=a/${seed}", "hydra.sweep.subdir=x", "hydra.sweep.dir=",
    "hydra.job.name=x", "hydra.job.name=", "hydra.callbacks=null", "hydra.callbacks.before=null", "hydra.callbacks.before._target_=x", "hydra.x=1",
    "hydra.searchpath=[nowhere]", "hydra.searchpath=x", "hydra.mode=MULTIRUN", "hydra.mode=x", "hydra.job.config.override_dirname.exclude_keys=x",
    "hydra.hydra_logging=null", "hydra.job_logging=null", "hydra.launcher=null", "hydra.sweeper=null", "hydra.sweeper.params=x", "hydra.env=1",
    "hydra.job.env_set.A=1", "hydra.job.env_copy=[A]", "hydra.runtime.output_dir=x", "hydra.overrides.task=[x]", "a.b.c=1", "1=1", "é=1", "$=1",
    "seed=${epochs}", "epochs=${epochs}", "epochs=${nothing}", "seed=$(ls)", "name=${latent.name}", "name=${name}", "seed=${here:}", "name=${member:a,b}",
    "run", "nowhere", "images.npz", "run/", "./run", "folders=run", "folders=[run,run]", "folders=[[run]]", "folders=[images.npz]", "value=nothing",
]  # fmt: skip
