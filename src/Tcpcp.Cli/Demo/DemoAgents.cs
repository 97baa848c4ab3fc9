using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Tcpcp.Cli.Certificates;
using Tcpcp.Lab;

namespace Tcpcp.Cli.Demo;

/// <summary>What the agents of the demo's hosts are given: certificates of a small authority, and configurations.</summary>
internal sealed class DemoAgents
{
    private const int Port = 7300;

    private static readonly TimeSpan s_lifetime = TimeSpan.FromDays(1);

    private readonly string _directory;

    private DemoAgents(string directory) => _directory = directory;

    /// <param name="directory">Where the files go.</param>
    /// <param name="serviceAddress">Address and port of the connections that they may pass to each other.</param>
    public static DemoAgents Create(string directory, IReadOnlyList<Host> hosts, IPAddress serviceAddress, int servicePort)
    {
        DemoAgents agents = new(Directory.CreateDirectory(directory).FullName);
        (X509Certificate2 authority, ECDsa authorityKey) = CertificateMaker.MakeAuthority("tcpcp demo", s_lifetime);
        using X509Certificate2 signer = authority;
        using ECDsa signerKey = authorityKey;
        CertificateFilePair.WritePublic(agents.PathOf("authority.pem"), authority.ExportCertificatePem());
        foreach (Host host in hosts)
        {
            (X509Certificate2 certificate, ECDsa key) = CertificateMaker.MakeHost(signer, host.Name, [], s_lifetime);
            using (certificate)
            using (key)
                agents.FilesOf(host).Write(certificate, key);

            JsonObject configuration = agents.Configuration(host, hosts.Single(one => one != host), serviceAddress, servicePort);
            File.WriteAllText(agents.ConfigurationOf(host), configuration.ToJsonString());
        }

        return agents;
    }

    public string ConfigurationOf(Host host) => PathOf($"{host.Name}.json");

    private JsonObject Configuration(Host host, Host other, IPAddress serviceAddress, int servicePort) => new()
    {
        ["name"] = host.Name,
        ["interface"] = Host.InterfaceName,
        ["listen"] = EndPointOf(host, serviceAddress),
        ["certificate"] = new JsonObject
        {
            ["file"] = FilesOf(host).Certificate,
            ["key"] = FilesOf(host).Key,
            ["authority"] = PathOf("authority.pem"),
        },
        ["destinations"] = new JsonObject { [other.Name] = new JsonObject { ["address"] = EndPointOf(other, serviceAddress) } },
        ["policy"] = new JsonArray(new JsonObject
        {
            ["origin"] = other.Name,
            ["applications"] = new JsonArray("file-server"),
            ["addresses"] = new JsonArray(serviceAddress.ToString()),
            ["ports"] = new JsonArray(servicePort.ToString(System.Globalization.CultureInfo.InvariantCulture)),
        }),
        ["local"] = new JsonObject { ["applications-group"] = "0", ["operators-group"] = "0" },
    };

    private static string EndPointOf(Host host, IPAddress like) =>
        new IPEndPoint(host.Addresses.First(address => address.AddressFamily == like.AddressFamily), Port).ToString();

    private CertificateFilePair FilesOf(Host host) => CertificateFilePair.In(_directory, host.Name);

    private string PathOf(string file) => Path.Combine(_directory, file);
}
