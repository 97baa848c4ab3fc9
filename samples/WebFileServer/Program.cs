// A web server of files whose downloads can move: web-file-server --contentRoot DIRECTORY --urls http://192.0.2.1:8080 [--Tcpcp:Destinations:0 host-b]
// The operator says when (tcpcp drain --to HOST --app web-file-server); with a destination they also move when the server stops. Both hosts have the same files.
WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.WebHost.UseTcpcp();
WebApplication app = builder.Build();
app.UsePassableStaticFiles(new StaticFileOptions { FileProvider = app.Environment.ContentRootFileProvider, ServeUnknownFileTypes = true });
app.MapGet("/host", (HttpContext context) => new { Host = Environment.MachineName, Connection = context.Connection.Id });
await app.RunAsync();
