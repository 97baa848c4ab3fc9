using Tcpcp.Samples.WebHub;

// A SignalR hub, and a client of it. A hub's connection is not passed: its client reconnects, and says where it stands.
//   web-hub --urls http://192.0.2.1:8080 --Host host-a
//   web-hub watch http://192.0.2.100:8080/hub
if (args is ["watch", string url])
{
    await Watcher.RunAsync(new Uri(url));
    return;
}

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.WebHost.UseTcpcp();
builder.Services.AddSignalR();
WebApplication app = builder.Build();
// A connection that is lost on the way, to the same process, goes on; at another host it is a new one.
app.MapHub<NumbersHub>("/hub", options => options.AllowStatefulReconnects = true);
await app.RunAsync();
